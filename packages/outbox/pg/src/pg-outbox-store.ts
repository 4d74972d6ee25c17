import { type Clock, checkKnown, systemClock } from '@evt/core'
import type { Lease, OutboxRow, OutboxStore, Position } from '@evt/outbox'
import {
  arrayLiteral,
  encodeText,
  type PgPoolLike,
  type PgTransaction,
  pgFailure,
  quotedTable,
  runStatement,
  scopeOf,
  withConnection,
} from '@evt/pg'
import { Floor } from './floor.ts'
import { insertRows } from './insert-rows.ts'
import { reading, toOutboxRow, type WrittenRow } from './outbox-rows.ts'

export interface PgOutboxStoreOptions {
  /** A pg `Pool`. Whoever creates it closes it. */
  readonly pool: PgPoolLike
  /** Default `public`. */
  readonly schema?: string | undefined
  /** Default `evt_outbox`; the lead of the relay is kept in `<table>_lead`. */
  readonly table?: string | undefined
  /** Default: the system's. */
  readonly clock?: Clock | undefined
}

/** Rows in one table, the lead in another beside it. Time is the server's. */
export function pgOutboxStore(options: PgOutboxStoreOptions): OutboxStore<PgTransaction> {
  checkKnown('pgOutboxStore', options, ['pool', 'schema', 'table', 'clock'])
  const { pool, schema = 'public', table: name = 'evt_outbox', clock = systemClock } = options
  const table = quotedTable(schema, name)
  const leadTable = quotedTable(schema, `${name}_lead`)
  const newest = `(select max(id)::text from ${table} where refused is null and id > $1)`
  const ask = async (operation: string, sql: string, values: readonly unknown[] = []) => {
    try {
      const answer = await withConnection(pool, (connection) => runStatement(connection, sql, [...values]))
      return { rows: answer.rows, rowCount: answer.rowCount ?? 0 }
    } catch (error) {
      throw pgFailure(error, { operation, relation: table })
    }
  }
  const floor = new Floor({
    clock,
    async holders() {
      const { rows } = await ask(
        'Looking for writers of the outbox',
        `select distinct virtualtransaction as holder from pg_locks
         where locktype = 'relation' and mode = 'RowExclusiveLock' and relation = ($1::text)::regclass
           and database = (select oid from pg_database where datname = current_database())`,
        [table],
      )
      return (rows as { holder: string }[]).map(({ holder }) => holder)
    },
    async first(after, upTo) {
      const { rows } = await ask(
        'Reading the outbox',
        `select min(id)::text as first from ${table} where refused is null and id > $1 and id <= $2`,
        [after, upTo],
      )
      return (rows[0] as { first: Position | null }).first
    },
  })
  const mine = (lease: Lease) => [lease.owner, lease.token]
  return {
    name: 'pg',
    async probe() {
      const { rows } = await ask(
        'Asking the database',
        `select current_setting('synchronous_commit') <> 'off' and current_setting('fsync') = 'on' as synced`,
      )
      const { synced } = rows[0] as { synced: boolean }
      return { durability: synced ? 'synced' : 'relaxed', scope: (await scopeOf(pool)).value }
    },
    append: (transaction, messages) => insertRows(table, (sql, values) => transaction.query(sql, values), messages),
    async lead(owner, leaseMs) {
      let token: string | undefined
      const bound = await floor.bound(async (above) => {
        const { rows } = await ask(
          'Leading the relay',
          `insert into ${leadTable} as held (owner, token, expires_at)
           values ($2, 1, statement_timestamp() + $3 * interval '1 millisecond')
           on conflict (one) do update set owner = excluded.owner, expires_at = excluded.expires_at,
             token = held.token + (held.owner <> excluded.owner)::int
           where held.owner = excluded.owner or held.expires_at < statement_timestamp()
           returning token::text, ${newest} as bound`,
          [above, owner, leaseMs],
        )
        const row = rows[0] as { token: string; bound: Position | null } | undefined
        token = row?.token
        return row?.bound ?? null
      })
      return token === undefined ? null : { owner, token, bound }
    },
    async release(lease) {
      await ask(
        'Leaving the lead',
        `update ${leadTable} set expires_at = '-infinity' where owner = $1 and token = $2`,
        mine(lease),
      )
    },
    bound: () =>
      floor.bound(async (above) => {
        const { rows } = await ask('Reading the outbox', `select ${newest} as bound`, [above])
        return (rows[0] as { bound: Position | null }).bound
      }),
    async read(range) {
      const { sql, values } = reading(table, range.after ?? floor.below(range.upTo), range)
      const { rows } = await ask('Reading the outbox', sql, values)
      const found = (rows as WrittenRow[]).map((row): OutboxRow => toOutboxRow(row))
      floor.found(found[0]?.position)
      return found
    },
    async delete(positions) {
      await ask('Deleting published rows', `delete from ${table} where id = any (($1::text)::bigint[])`, [
        `{${positions.join(',')}}`,
      ])
    },
    async park(lease, parked) {
      const { rows } = await ask(
        'Putting refused rows aside',
        `with held as materialized (
           select from ${leadTable} where owner = $1 and token = $2 and expires_at >= statement_timestamp() for update
         ), put as (
           update ${table} as row set refused = given.reason
           from unnest(($3::text)::bigint[], ($4::text)::text[]) as given (id, reason)
           where row.id = given.id and exists (select from held)
         )
         select exists (select from held) as held`,
        [
          ...mine(lease),
          `{${parked.map((row) => row.position).join(',')}}`,
          arrayLiteral(parked.map((row) => encodeText(row.reason))),
        ],
      )
      return (rows[0] as { held: boolean }).held
    },
    async count() {
      const { rows } = await ask(
        'Counting the outbox',
        `select count(*) filter (where refused is null)::int as waiting, count(*) filter (where refused is not null)::int as parked from ${table}`,
      )
      return rows[0] as { waiting: number; parked: number }
    },
  }
}
