import { pgDlqStore } from '@evt/dlq-pg'
import { pgIdempotencyStore, pgInbox } from '@evt/idempotency-pg'
import { type PgOutbox, pgOutbox } from '@evt/outbox-pg'
import pg from 'pg'

/** What the database knows, to be held against what the ledger says. */
export interface Facts {
  /** Messages whose business transaction committed. */
  readonly committed: ReadonlyMap<string, { readonly key: string; readonly number: number }>
  /** How often each effect was committed, by consumer. */
  readonly effects: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** Messages with a dead letter, by consumer. */
  readonly letters: ReadonlyMap<string, ReadonlySet<string>>
  readonly waiting: number
  readonly parked: number
}
export interface Progress {
  readonly committed: number
  readonly effects: number
  readonly letters: number
  readonly waiting: number
}
/** A scenario's own database, reached directly whatever is done to the way of the programs. */
export interface FaultDatabase {
  readonly url: string
  readonly pool: pg.Pool
  readonly outbox: PgOutbox
  facts(): Promise<Facts>
  progress(): Promise<Progress>
  drop(): Promise<void>
}

const tables = `
  create table fault_orders (message text primary key, key text not null, number bigint not null);
  create table fault_effects (
    consumer text not null, message text not null, count integer not null default 1, primary key (consumer, message)
  );
  create table fault_naive_inbox (consumer text not null, key text not null);
  create table fault_entered (consumer text not null, key text not null, primary key (consumer, key))`

export async function createDatabase(serverUrl: string, name: string): Promise<FaultDatabase> {
  await once(serverUrl, `create database ${name}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  const pool = new pg.Pool({ connectionString: url.href, max: 6, application_name: 'harness' })
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  const outbox = pgOutbox({ pool, relay: false })
  for (const part of [outbox, pgInbox({ pool }), pgIdempotencyStore({ pool }), pgDlqStore({ pool })])
    await part.migrate()
  await pool.query(tables)
  const rows = async <Row>(sql: string) => (await pool.query(sql)).rows as Row[]
  return {
    url: url.href,
    pool,
    outbox,
    async facts() {
      const orders = await rows<{ message: string; key: string; number: string }>('select * from fault_orders')
      const effects = new Map<string, Map<string, number>>()
      for (const row of await rows<{ consumer: string; message: string; count: number }>(
        'select * from fault_effects',
      )) {
        const of = effects.get(row.consumer) ?? new Map<string, number>()
        effects.set(row.consumer, of.set(row.message, row.count))
      }
      const letters = new Map<string, Set<string>>()
      for (const row of await rows<{ consumer: string; message: string }>(
        'select consumer, message_id as message from evt_dlq where message_id is not null',
      )) {
        const of = letters.get(row.consumer) ?? new Set<string>()
        letters.set(row.consumer, of.add(row.message))
      }
      return {
        committed: new Map(orders.map(({ message, key, number }) => [message, { key, number: Number(number) }])),
        effects,
        letters,
        ...(await outbox.count()),
      }
    },
    async progress() {
      const [row] = await rows<Progress>(`select
        (select count(*)::int from fault_orders) as committed, (select count(*)::int from fault_effects) as effects,
        (select count(*)::int from (select distinct consumer, message_id from evt_dlq) as distinct_letters) as letters,
        (select count(*)::int from evt_outbox where refused is null) as waiting`)
      return row!
    },
    async drop() {
      // It keeps a connection for waking, for which the pool would wait.
      await outbox.stop()
      await pool.end()
      await once(serverUrl, `drop database ${name} with (force)`)
    },
  }
}

async function once(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  await client.query(sql)
  await client.end()
}
