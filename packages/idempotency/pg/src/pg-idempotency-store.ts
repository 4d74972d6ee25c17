import { checkKnown, wholeNumber } from '@evt/core'
import type { Claim, Claimed, IdempotencyStore } from '@evt/idempotency'
import {
  arrayLiteral,
  encodeText,
  migrate,
  type PgPoolLike,
  pgFailure,
  quotedTable,
  readMigrations,
  withConnection,
} from '@evt/pg'

export interface PgIdempotencyOptions {
  /** A pg `Pool`; whoever creates it closes it. */
  readonly pool: PgPoolLike
  /** Default `public`. */
  readonly schema?: string | undefined
  /** Default `evt_idempotency`. */
  readonly table?: string | undefined
}
export interface PgIdempotencyStore extends IdempotencyStore {
  migrate(): Promise<void>
  /**
   * Forgets records that ended so long ago (default an hour), at most `limit` (default 10,000) at a time; answers how many. A
   * forgotten record starts its fence anew.
   */
  purge(options?: { readonly endedMs?: number | undefined; readonly limit?: number | undefined }): Promise<number>
}

/** Claims and handled messages in a table; time is the server's. One statement per batch, none of them in a transaction. */
export function pgIdempotencyStore(options: PgIdempotencyOptions): PgIdempotencyStore {
  checkKnown('pgIdempotencyStore', options, ['pool', 'schema', 'table'])
  const { pool, schema = 'public', table: name = 'evt_idempotency' } = options
  const table = quotedTable(schema, name)
  const ask = async (operation: string, sql: string, values: readonly unknown[]) => {
    try {
      return await withConnection(pool, (connection) => connection.query(sql, [...values]))
    } catch (error) {
      throw pgFailure(error, { operation, relation: table })
    }
  }
  const inMs = (parameter: string) => `statement_timestamp() + ${parameter}::float8 * interval '1 millisecond'`
  // In the order of keys, so that two statements that meet wait for each other instead of deadlocking.
  const claiming = `with given as (
      select key, place from unnest(($2::text)::text[]) with ordinality as keys (key, place)
    ), claimed as (
      insert into ${table} as record (consumer, message_key, owner, fence, done, until)
      select $1, key, $3, 1, false, ${inMs('$4')} from given order by key
      on conflict (consumer, message_key) do update set owner = excluded.owner, fence = record.fence + 1, done = false,
        until = excluded.until
        where record.until <= statement_timestamp()
      returning message_key, fence
    )
    select claimed.fence::text, coalesce(record.done, false) as done,
      extract(epoch from record.until - statement_timestamp()) * 1000 as left_ms
    from given
      left join claimed on claimed.message_key = given.key
      left join ${table} as record on record.consumer = $1 and record.message_key = given.key
    order by given.place`
  /** Runs an update of the claims that are still their owners'; answers for each whether it was. */
  const change = async (operation: string, set: string, claims: readonly Claim[], values: readonly unknown[] = []) => {
    if (claims.length === 0) return []
    const answer = await ask(
      operation,
      `with given as (
         select * from unnest(($1::text)::text[], ($2::text)::text[], ($3::text)::text[], ($4::text)::bigint[])
           with ordinality as claims (consumer, key, owner, fence, place)
       ), locked as materialized (
         select record.consumer, record.message_key, given.place from ${table} as record
         join given on record.consumer = given.consumer and record.message_key = given.key
           and record.owner = given.owner and record.fence = given.fence
         where not record.done order by record.consumer, record.message_key for update of record
       ), changed as (
         update ${table} as record set ${set} from locked
         where record.consumer = locked.consumer and record.message_key = locked.message_key
         returning locked.place
       )
       select changed.place is not null as ours from given left join changed using (place) order by given.place`,
      [
        arrayLiteral(claims.map((claim) => claim.consumer)),
        arrayLiteral(claims.map((claim) => encodeText(claim.key))),
        arrayLiteral(claims.map((claim) => claim.owner)),
        `{${claims.map((claim) => claim.fence).join(',')}}`,
        ...values,
      ],
    )
    return (answer.rows as { readonly ours: boolean }[]).map((row) => row.ours)
  }
  return {
    name: 'pg',
    async claim(consumer, keys, { owner, leaseMs }) {
      const distinct = [...new Set(keys)]
      const { rows } = await ask('Claiming messages', claiming, [
        consumer,
        arrayLiteral(distinct.map(encodeText)),
        owner,
        leaseMs,
      ])
      const found = new Map(distinct.map((key, index) => [key, toClaimed(rows[index] as ClaimRow, leaseMs)]))
      // The second of two equal keys finds the first at it.
      const seen = new Set<string>()
      return keys.map((key): Claimed => {
        const claimed = found.get(key)!
        if (claimed.status === 'claimed' && seen.has(key)) return { status: 'held', retryAfterMs: leaseMs }
        seen.add(key)
        return claimed
      })
    },
    renew: (claims, leaseMs) => change('Renewing claims', `until = ${inMs('$5')}`, claims, [leaseMs]),
    complete: (claims, ttlMs) => change('Completing claims', `done = true, until = ${inMs('$5')}`, claims, [ttlMs]),
    // Kept, so that the fence goes on growing.
    release: (claims) => change('Releasing claims', `owner = '', until = statement_timestamp()`, claims),
    async migrate() {
      const migrations = readMigrations(import.meta.url, 'idempotency')
      await migrate({ pool, name: `idempotency/${name}`, schema, migrations, identifiers: { table: name } })
    },
    async purge(purgeOptions = {}) {
      checkKnown('purge', purgeOptions, ['endedMs', 'limit'])
      const endedMs = wholeNumber('endedMs', purgeOptions.endedMs, { min: 0, default: 3_600_000 })
      const limit = wholeNumber('limit', purgeOptions.limit, { min: 1, default: 10_000 })
      const answer = await ask(
        'Forgetting claims',
        `delete from ${table} where ctid = any (array(select ctid from ${table}
         where until <= statement_timestamp() - $1::float8 * interval '1 millisecond' limit $2))
           and until <= statement_timestamp() - $1::float8 * interval '1 millisecond'`,
        [endedMs, limit],
      )
      return answer.rowCount ?? 0
    },
  }
}

interface ClaimRow {
  readonly fence: string | null
  readonly done: boolean
  readonly left_ms: string | number | null
}
// A record written after the statement began shows no time left; how long it is held at most is known all the same.
function toClaimed(row: ClaimRow, leaseMs: number): Claimed {
  if (row.fence !== null) return { status: 'claimed', fence: BigInt(row.fence) }
  const leftMs = Number(row.left_ms ?? 0)
  if (row.done && leftMs > 0) return { status: 'done' }
  return { status: 'held', retryAfterMs: leftMs > 0 ? Math.ceil(leftMs) : leaseMs }
}
