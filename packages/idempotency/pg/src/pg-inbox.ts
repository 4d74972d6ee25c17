import { checkKnown, evtError, wholeNumber } from '@evt/core'
import type { Entered, InboxStore } from '@evt/idempotency'
import {
  arrayLiteral,
  attemptPart,
  encodeText,
  knownScope,
  migrate,
  type PgPoolLike,
  type PgTransaction,
  pgFailure,
  plainLiteral,
  quotedTable,
  readMigrations,
  withConnection,
} from '@evt/pg'

export interface PgInboxOptions {
  /** A pg `Pool`, for `migrate` and `purge`; entries are written through the handler's own transaction. */
  readonly pool: PgPoolLike
  /** Default `public`. */
  readonly schema?: string | undefined
  /** Default `evt_inbox`. */
  readonly table?: string | undefined
}
export interface PgInbox extends InboxStore<PgTransaction> {
  migrate(): Promise<void>
  /** Forgets entries older than this, at most `limit` (default 10,000) at a time; answers how many. */
  purge(options: { readonly olderThanMs: number; readonly limit?: number | undefined }): Promise<number>
}

/** The inbox in a table of the database that holds the effects. */
export function pgInbox(options: PgInboxOptions): PgInbox {
  checkKnown('pgInbox', options, ['pool', 'schema', 'table'])
  const { pool, schema = 'public', table: name = 'evt_inbox' } = options
  const table = quotedTable(schema, name)
  // A try-lock, because a plain insert would wait for a duplicate in flight, holding a connection meanwhile.
  const locks = (consumer: string, key: string) =>
    `pg_try_advisory_xact_lock(hashtextextended(${consumer}::text || chr(10) || ${key}, 0))`
  // Nearly all messages are fresh, and for them this answers at half the cost of saying also why one is not.
  const enterOne = (consumer: string, key: string) => `insert into ${table} (consumer, message_key)
    select ${consumer}, ${key} where ${locks(consumer, key)} on conflict do nothing returning message_key`
  const enterMany = (consumer: string, keys: string) => `insert into ${table} (consumer, message_key)
    select ${consumer}, key from unnest((${keys}::text)::text[]) as ids (key) where ${locks(consumer, 'key')}
    on conflict do nothing returning message_key`
  const enterAndTell = `with given as (
      select message_key, place, ${locks('$1', 'message_key')} as locked
      from unnest(($2::text)::text[]) with ordinality as ids (message_key, place)
    ), entered as (
      insert into ${table} (consumer, message_key) select $1, message_key from given where locked
      on conflict do nothing returning message_key
    )
    select given.locked, entered.message_key is not null as fresh
    from given left join entered using (message_key) order by given.place`
  const enter = async (transaction: PgTransaction, consumer: string, keys: readonly string[]) => {
    const found = new Map<string, Entered>()
    const encoded = keys.map(encodeText)
    const given = keys.length === 1 ? encoded[0]! : arrayLiteral(encoded)
    const statement = keys.length === 1 ? enterOne : enterMany
    // As the first of its transaction it shares a round trip with BEGIN where it has no parameters.
    const literals = [plainLiteral(consumer), plainLiteral(given)] as const
    const entered = await (literals[0] === undefined || literals[1] === undefined
      ? transaction.query<{ message_key: string }>(statement('$1', '$2'), [consumer, given])
      : transaction.query<{ message_key: string }>(statement(literals[0], literals[1])))
    if (entered.rows.length === keys.length) {
      for (const key of keys) found.set(key, 'fresh')
      return found
    }
    const fresh = new Set(entered.rows.map((row) => row.message_key))
    const rest = keys.filter((key, index) => {
      if (fresh.has(encoded[index]!)) found.set(key, 'fresh')
      return !found.has(key)
    })
    const told = await transaction.query<{ locked: boolean; fresh: boolean }>(enterAndTell, [
      consumer,
      arrayLiteral(rest.map(encodeText)),
    ])
    for (const [index, row] of told.rows.entries()) {
      found.set(rest[index]!, row.fresh ? 'fresh' : row.locked ? 'done' : 'held')
    }
    return found
  }
  const leave = (consumer: string, keys: string) =>
    `delete from ${table} where consumer = ${consumer} and message_key = any ((${keys}::text)::text[])`
  const failed = (error: unknown) => pgFailure(error, { operation: 'Entering the inbox', relation: table })
  const checkScope = ({ scope }: PgTransaction) => {
    const own = knownScope(pool)?.value
    if (own === undefined || own === scope) return
    const message = `The transaction belongs to database ${scope}, the inbox to ${own}`
    throw evtError('EVT_TRANSACTION_FOREIGN', message, { expected: own, actual: scope })
  }
  return {
    name: 'pg',
    get scope() {
      return knownScope(pool)?.value
    },
    async enter(transaction, consumer, keys) {
      checkScope(transaction)
      let found: ReadonlyMap<string, Entered>
      try {
        found = await enter(transaction, consumer, [...new Set(keys)])
      } catch (error) {
        throw failed(error)
      }
      // The second of two equal ids is done once the first has been entered.
      const seen = new Set<string>()
      return keys.map((id) => {
        const entered = found.get(id)!
        if (entered === 'fresh' && seen.has(id)) return 'done'
        seen.add(id)
        return entered
      })
    },
    savepoints: {
      attempt: attemptPart,
      async leave(transaction, consumer, keys) {
        try {
          await transaction.query(leave('$1', '$2'), [consumer, arrayLiteral(keys.map(encodeText))])
        } catch (error) {
          throw failed(error)
        }
      },
    },
    async migrate() {
      const migrations = readMigrations(import.meta.url, 'inbox')
      await migrate({ pool, name: `inbox/${name}`, schema, migrations, identifiers: { table: name } })
    },
    async purge(purgeOptions) {
      checkKnown('purge', purgeOptions, ['olderThanMs', 'limit'])
      const olderThanMs = wholeNumber('olderThanMs', purgeOptions.olderThanMs ?? null, { min: 0, default: 0 })
      const limit = wholeNumber('limit', purgeOptions.limit, { min: 1, default: 10_000 })
      try {
        const answer = await withConnection(pool, (connection) =>
          connection.query(
            `delete from ${table} where ctid = any (array(select ctid from ${table}
             where entered_at < statement_timestamp() - $1::float8 * interval '1 millisecond' limit $2))`,
            [olderThanMs, limit],
          ),
        )
        return answer.rowCount ?? 0
      } catch (error) {
        throw pgFailure(error, { operation: 'Forgetting inbox entries', relation: table })
      }
    },
  }
}
