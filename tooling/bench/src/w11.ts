import { createBus, memoryTransport, silentLogger } from '@evt/core'
import { pgOutbox } from '@evt/outbox-pg'
import { freshDatabase } from '@evt/servers'
import { Logger as QuietLogger, run as runGraphile } from 'graphile-worker'
import pg, { type PoolClient } from 'pg'
import PgBoss from 'pg-boss'
import { KeyedOrder, order } from './order.ts'
import type { LatencyContender, Workload } from './workload.ts'

const connections = 16
const watchedMs = 5_000
const insertOrder = 'insert into orders (id) values ($1)'

/** From when a transaction was due, through its commit and the relay, to the handler. */
export const workloads: readonly Workload[] = [at(400), at(2_000)]

function at(perSecond: number): Workload {
  return {
    kind: 'latency',
    id: `w11.${perSecond}`,
    title: `from a transaction due to its handler, ${perSecond} a second, open loop`,
    perSecond,
    seconds: 4,
    servers: ['postgres'],
    // The peers do not keep up with more.
    contenders: [
      handWritten(),
      evt('evt'),
      evt('evt, relay with its own pool', true),
      ...(perSecond <= 400 ? [graphile(), pgBoss()] : []),
    ],
    goals: [
      { text: 'ms, median', value: (read) => read.figure('evt', 'p50 ms'), atMost: 5 },
      { text: 'ms, 99th percentile', value: (read) => read.figure('evt', 'p99 ms'), atMost: 15 },
      {
        text: 'statements a second while idle',
        value: (read) => read.fact('evt', 'idle statements a second'),
        atMost: 1.1,
      },
    ],
  }
}

async function ordersDatabase() {
  const database = await freshDatabase(connections)
  await database.pool.query('create table orders (id text primary key)')
  return database
}

/** Commit, wake oneself, delete and take what is there, call the handler: once under way at most. */
function handWritten(): LatencyContender {
  return {
    name: 'hand-written',
    async start(arrived) {
      const { pool, drop } = await ordersDatabase()
      await pool.query(`create table outbox (id bigint generated always as identity primary key, topic text not null,
        message_id text not null, key text, headers text not null, payload text not null)`)
      let isRelaying = false
      let woken = false
      const relay = async () => {
        woken = true
        if (isRelaying) return
        isRelaying = true
        while (woken) {
          woken = false
          const { rows } = await pool.query<{ id: string; message_id: string; payload: string }>(
            'select id, topic, message_id, key, headers, payload from outbox order by id limit 1000',
          )
          for (const row of rows) if (JSON.parse(row.payload).id === row.message_id) arrived(row.message_id)
          if (rows.length > 0)
            await pool.query('delete from outbox where id = any ($1::bigint[])', [rows.map(({ id }) => id)])
        }
        isRelaying = false
      }
      return {
        async send(id) {
          const connection = await pool.connect()
          await connection.query('begin')
          await connection.query(insertOrder, [id])
          await connection.query(
            'insert into outbox (topic, message_id, key, headers, payload) values ($1, $2, $3, $4, $5)',
            ['order.created', id, id, JSON.stringify({ id, type: 'order.created' }), JSON.stringify({ ...order, id })],
          )
          await connection.query('commit')
          connection.release()
          await relay()
        },
        stop: drop,
      }
    },
  }
}

function evt(name: string, hasOwnPool = false): LatencyContender {
  return {
    name,
    async start(arrived) {
      const { pool, url, drop } = await ordersDatabase()
      const own = hasOwnPool ? new pg.Pool({ connectionString: url, max: 2 }) : undefined
      const outbox = pgOutbox({ pool, relay: { pool: own } })
      await outbox.migrate()
      const bus = createBus({ service: 'bench', logger: silentLogger, transport: memoryTransport(), outbox })
      await bus.subscribe(KeyedOrder, ({ id }) => arrived(id), { group: 'bench', concurrency: 64 })
      return {
        async send(id) {
          await outbox.run(async (tx) => {
            await tx.query(insertOrder, [id])
            await bus.publish(KeyedOrder, { ...order, id })
          })
        },
        async facts() {
          let statements = 0
          const watched = new Map<PoolClient, PoolClient['query']>()
          const watch = (connection: PoolClient) => {
            if (watched.has(connection)) return
            const query = connection.query
            watched.set(connection, query)
            connection.query = ((...given: never[]) => {
              statements += 1
              return (query as (...given: never[]) => unknown).apply(connection, given)
            }) as typeof query
          }
          pool.on('acquire', watch)
          await new Promise((resolve) => setTimeout(resolve, watchedMs))
          pool.off('acquire', watch)
          for (const [connection, query] of watched) connection.query = query
          return { 'idle statements a second': (statements * 1_000) / watchedMs }
        },
        async stop() {
          await bus.close()
          await own?.end()
          await drop()
        },
      }
    },
  }
}

/** Its own way to hear of a commit: NOTIFY in the transaction. */
function graphile(): LatencyContender {
  return {
    name: 'graphile-worker',
    async start(arrived) {
      const { pool, url, drop } = await ordersDatabase()
      const logger = new QuietLogger(() => () => undefined)
      const taskList = { order: async (payload: unknown) => arrived((payload as { id: string }).id) }
      const runner = await runGraphile({
        connectionString: url,
        concurrency: 10,
        logger,
        noHandleSignals: true,
        taskList,
      })
      return {
        async send(id) {
          const connection = await pool.connect()
          await connection.query('begin')
          await connection.query(insertOrder, [id])
          await connection.query(`select graphile_worker.add_job('order', $1::json)`, [
            JSON.stringify({ ...order, id }),
          ])
          await connection.query('commit')
          connection.release()
        },
        async stop() {
          await runner.stop()
          await drop()
        },
      }
    },
  }
}

/** It polls; half a second is the least it allows. */
function pgBoss(): LatencyContender {
  return {
    name: 'pg-boss',
    async start(arrived) {
      const { pool, url, drop } = await ordersDatabase()
      const boss = new PgBoss({ connectionString: url, max: 6, supervise: false, schedule: false })
      await boss.start()
      await boss.createQueue('order')
      await boss.work<{ id: string }>('order', { batchSize: 1_000, pollingIntervalSeconds: 0.5 }, async (jobs) => {
        for (const { data } of jobs) arrived(data.id)
      })
      return {
        async send(id) {
          const connection = await pool.connect()
          await connection.query('begin')
          await connection.query(insertOrder, [id])
          const db = { executeSql: async (sql: string, values: unknown[]) => connection.query(sql, values) as never }
          await boss.send('order', { ...order, id }, { db })
          await connection.query('commit')
          connection.release()
        },
        async stop() {
          await boss.stop({ graceful: false })
          await drop()
        },
      }
    },
  }
}
