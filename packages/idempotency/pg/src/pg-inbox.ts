import { checkKnown, evtError } from '@evt/core'
import type { Entered, InboxStore } from '@evt/idempotency'
import {
  arrayLiteral,
  encodeText,
  knownScope,
  migrate,
  type PgPoolLike,
  type PgTransaction,
  pgFailure,
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
  const statement = `with given as (
      select message_key, place, pg_try_advisory_xact_lock(hashtextextended($1 || chr(10) || message_key, 0)) as locked
      from unnest(($2::text)::text[]) with ordinality as ids (message_key, place)
    ), entered as (
      insert into ${table} (consumer, message_key) select $1, message_key from given where locked
      on conflict do nothing returning message_key
    )
    select given.locked, entered.message_key is not null as fresh
    from given left join entered using (message_key) order by given.place`
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
      const distinct = [...new Set(keys)]
      let rows: readonly { readonly locked: boolean; readonly fresh: boolean }[]
      try {
        const answer = await transaction.query<{ locked: boolean; fresh: boolean }>(statement, [
          consumer,
          arrayLiteral(distinct.map(encodeText)),
        ])
        rows = answer.rows
      } catch (error) {
        throw pgFailure(error, { operation: 'Entering the inbox', relation: table })
      }
      const found = new Map<string, Entered>(
        distinct.map((id, index) => [id, rows[index]!.fresh ? 'fresh' : rows[index]!.locked ? 'done' : 'held']),
      )
      // The second of two equal ids is done once the first has been entered.
      const seen = new Set<string>()
      return keys.map((id) => {
        const entered = found.get(id)!
        if (entered === 'fresh' && seen.has(id)) return 'done'
        seen.add(id)
        return entered
      })
    },
    async migrate() {
      const migrations = readMigrations(import.meta.url, 'inbox')
      await migrate({ pool, name: `inbox/${name}`, schema, migrations, identifiers: { table: name } })
    },
    async purge({ olderThanMs, limit = 10_000 }) {
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
