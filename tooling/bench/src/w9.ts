import { randomUUID } from 'node:crypto'
import { createBus, memoryTransport, silentLogger } from '@evt/core'
import { pgOutbox } from '@evt/outbox-pg'
import type { PgPoolLike, PgQueryable } from '@evt/pg'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { Logger, makeWorkerUtils } from 'graphile-worker'
import PgBoss from 'pg-boss'
import { KeyedOrder, order } from './order.ts'
import { sideBySide } from './side-by-side.ts'
import { statementLog } from './statement-log.ts'
import type { Contender, Running, Workload } from './workload.ts'

const insertOrder = 'insert into orders (id, body) values ($1, $2)'
const bodyOf = (key: string) => JSON.stringify({ ...order, id: key })
/** Begin, the order, commit. */
const plainStatements = 3

/** An order, and so many events about it, in one transaction of the user. A "message" is a transaction. */
export const workloads: readonly Workload[] = [
  overhead(1, 1, 1_000),
  overhead(1, 16, 4_000),
  overhead(5, 1, 1_000),
  overhead(5, 16, 4_000),
]

function overhead(events: number, connections: number, messages: number): Workload {
  const wanted = events === 1 ? 0.95 : 0.97
  return {
    kind: 'throughput',
    id: `w9.${events}x${connections}`,
    title: `write ${events === 1 ? 'one event' : `${events} events`} in the user's transaction, ${connections === 1 ? 'one connection' : `${connections} connections`}`,
    messages,
    checked: 'everyRound',
    servers: ['postgres'],
    contenders: [
      contender('hand-written insert', events, connections, handWritten),
      contender('no outbox', events, connections, withoutOutbox),
      contender('evt', events, connections, evt),
      ...(events === 1
        ? [
            { ...contender('pg-boss', events, connections, pgBoss), messages: messages / 2 },
            { ...contender('graphile-worker', events, connections, graphile), messages: messages / 2 },
          ]
        : []),
    ],
    goals: [
      {
        text: 'of the speed with a hand-written insert',
        value: (read) => read.ratio('evt', 'hand-written insert'),
        atLeast: wanted,
      },
      { text: 'statements more than without outbox', value: (read) => read.fact('evt', 'extra statements'), atMost: 1 },
      { text: 'NOTIFY inside the transaction', value: (read) => read.fact('evt', 'notifies inside'), atMost: 0 },
    ],
  }
}

/** One way to write: what it does in the transaction, and how its events are read back. */
interface Way {
  transact(key: string): Promise<void>
  /** Rows of key, number of distinct ids, payload. Undefined where there are no events. */
  readonly events: string | undefined
  readonly clear: string
  close?(): Promise<void>
  /** Every statement of one transaction. */
  readonly statementsOf?: () => Promise<readonly string[]>
}
type MakeWay = (database: FreshDatabase, events: number) => Promise<Way>

function contender(name: string, events: number, connections: number, make: MakeWay): Contender {
  return {
    name,
    async start(): Promise<Running> {
      const database = await freshDatabase(connections)
      const { pool } = database
      await pool.query('create table orders (id text primary key, body text not null)')
      const way = await make(database, events)
      return {
        async run(messages, ledger) {
          await sideBySide(messages, connections, async () => {
            const key = randomUUID()
            ledger?.sent(key, bodyOf(key))
            await way.transact(key)
          })
        },
        async collect(ledger) {
          const { rows: orders } = await pool.query<{ id: string; body: string }>('select id, body from orders')
          const found = way.events === undefined ? undefined : (await pool.query(way.events)).rows
          const complete = new Map((found as EventsOf[] | undefined)?.map((row) => [row.key, row]))
          for (const { id, body } of orders) {
            const written = complete.get(id)
            if (found !== undefined && written?.events !== events) continue
            ledger?.handled(id, written?.payload ?? body)
          }
          await pool.query(`truncate orders; ${way.clear}`)
        },
        async facts() {
          const statements = (await way.statementsOf?.()) ?? []
          if (statements.length === 0) return {}
          await pool.query(`truncate orders; ${way.clear}`)
          return {
            'extra statements': statements.length - plainStatements,
            'notifies inside': statements.filter((sql) => /notify/i.test(sql)).length,
          }
        },
        async stop() {
          await way.close?.()
          await database.drop()
        },
      }
    },
  }
}
interface EventsOf {
  readonly key: string
  readonly events: number
  readonly payload: string | null
}

async function transaction(pool: PgPoolLike, work: (connection: PgQueryable) => Promise<void>): Promise<void> {
  const connection = await pool.connect()
  await connection.query('begin')
  await work(connection)
  await connection.query('commit')
  connection.release()
}

async function withoutOutbox({ pool }: FreshDatabase): Promise<Way> {
  return {
    transact: (key) =>
      transaction(pool, async (connection) => void (await connection.query(insertOrder, [key, bodyOf(key)]))),
    events: undefined,
    clear: '',
  }
}

/** As people write it: one statement, text columns, an array for each. */
async function handWritten({ pool }: FreshDatabase, events: number): Promise<Way> {
  await pool.query(`create table outbox (id bigint generated always as identity primary key, topic text not null,
    message_id text not null, key text, headers text not null, payload text not null, created_at timestamptz not null default now())`)
  const single = 'insert into outbox (topic, message_id, key, headers, payload) values ($1, $2, $3, $4, $5)'
  const several = `insert into outbox (topic, message_id, key, headers, payload)
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])`
  const rowOf = (key: string) => {
    const id = randomUUID()
    const headers = {
      id,
      type: 'order.created',
      source: '/bench',
      time: new Date().toISOString(),
      contentType: 'application/json',
    }
    return ['order.created', id, key, JSON.stringify(headers), bodyOf(key)]
  }
  const work = (using: PgPoolLike, key: string) =>
    transaction(using, async (connection) => {
      await connection.query(insertOrder, [key, bodyOf(key)])
      if (events === 1) return void (await connection.query(single, rowOf(key)))
      const rows = Array.from({ length: events }, () => rowOf(key))
      await connection.query(
        several,
        [0, 1, 2, 3, 4].map((column) => rows.map((row) => row[column])),
      )
    })
  return {
    transact: (key) => work(pool, key),
    events: 'select key, count(distinct message_id)::int as events, max(payload) as payload from outbox group by key',
    clear: 'truncate outbox',
    statementsOf: () => logged(pool, (log) => work(log, randomUUID())),
  }
}

async function evt({ pool }: FreshDatabase, events: number): Promise<Way> {
  const open = (using: PgPoolLike) => {
    const outbox = pgOutbox({ pool: using, relay: false })
    const bus = createBus({ service: 'bench', logger: silentLogger, transport: memoryTransport(), outbox })
    const transact = (key: string) =>
      outbox.run(async (tx) => {
        await tx.query(insertOrder, [key, bodyOf(key)])
        if (events === 1) await bus.publish(KeyedOrder, { ...order, id: key })
        else await bus.publishMany(Array.from({ length: events }, () => KeyedOrder.of({ ...order, id: key })))
      })
    return { outbox, bus, transact }
  }
  const { outbox, bus, transact } = open(pool)
  await outbox.migrate()
  return {
    transact,
    events: `select key, count(distinct message_id)::int as events, convert_from(max(payload), 'utf8') as payload
      from evt_outbox group by key`,
    clear: 'truncate evt_outbox',
    statementsOf: () =>
      logged(pool, async (log) => {
        const watched = open(log)
        await watched.outbox.run(async () => undefined)
        log.statements.length = 0
        await watched.transact(randomUUID())
        await watched.bus.close()
      }),
    close: () => bus.close(),
  }
}

/** Its way to take part in a transaction: an executor as the option `db`. */
async function pgBoss({ pool, url }: FreshDatabase): Promise<Way> {
  const boss = new PgBoss({ connectionString: url, max: 2, supervise: false, schedule: false })
  boss.on('error', (error) => {
    throw error
  })
  await boss.start()
  await boss.createQueue('order.created')
  return {
    transact: (key) =>
      transaction(pool, async (connection) => {
        await connection.query(insertOrder, [key, bodyOf(key)])
        const db = { executeSql: async (sql: string, values: unknown[]) => connection.query(sql, values) as never }
        await boss.send('order.created', { ...order, id: key }, { db })
      }),
    events: `select data->>'id' as key, count(*)::int as events, null as payload from pgboss.job group by data->>'id'`,
    clear: 'truncate pgboss.job',
    close: () => boss.stop({ graceful: false }),
  }
}

/** Its way to take part in a transaction: its SQL function. */
async function graphile({ pool, url }: FreshDatabase): Promise<Way> {
  const worker = await makeWorkerUtils({ connectionString: url, logger: new Logger(() => () => undefined) })
  await worker.migrate()
  await worker.release()
  return {
    transact: (key) =>
      transaction(pool, async (connection) => {
        await connection.query(insertOrder, [key, bodyOf(key)])
        await connection.query(`select graphile_worker.add_job('order.created', $1::json)`, [bodyOf(key)])
      }),
    events: `select payload->>'id' as key, count(*)::int as events, null as payload
      from graphile_worker._private_jobs group by payload->>'id'`,
    clear: 'truncate graphile_worker._private_jobs',
  }
}

async function logged(
  pool: PgPoolLike,
  work: (log: ReturnType<typeof statementLog>) => Promise<void>,
): Promise<readonly string[]> {
  const log = statementLog(pool)
  await work(log)
  return log.statements
}
