import { createBus, silentLogger } from '@evt/core'
import { freshDatabase } from '@evt/servers'
import { pgTransport } from '@evt/transport-pg'
import type { Ledger } from './ledger.ts'
import { OrderCreated, order } from './order.ts'
import { graphileJobs, pgBossJobs } from './pg-job-peers.ts'
import { sideBySide } from './side-by-side.ts'
import type { Contender, Running, Workload } from './workload.ts'

const connections = 8
const handlersAtOnce = 64
const filledAtOnce = 500
const body = (id: string) => JSON.stringify({ ...order, id })

/** Consuming at least once from PostgreSQL: the handler does nothing, the clock stops when everything is acknowledged. */
export const workloads: readonly Workload[] = [
  {
    kind: 'throughput',
    id: 'w4.pg',
    title: `PostgreSQL: a backlog, ${handlersAtOnce} handlers at once`,
    messages: 40_000,
    checked: 'everyRound',
    servers: ['postgres'],
    contenders: [
      byHand(),
      evt('evt'),
      evt('evt, prefetch 1,000', 1_000),
      { ...pgBossJobs(), messages: 5_000 },
      { ...graphileJobs(), messages: 5_000 },
    ],
    goals: [
      { text: 'of the speed of a loop by hand', value: (read) => read.ratio('evt', 'loop by hand'), atLeast: 0.5 },
      {
        text: 'times as fast as pg-boss, each fetching 1,000',
        value: (read) => read.ratio('evt, prefetch 1,000', 'pg-boss'),
        atLeast: 3,
      },
      { text: 'times as fast as graphile-worker', value: (read) => read.ratio('evt', 'graphile-worker'), atLeast: 3 },
    ],
  },
]

/** Deletes 200 rows, handles them, commits: they come back where the process dies. Two such loops. */
function byHand(): Contender {
  return {
    name: 'loop by hand',
    async start(): Promise<Running> {
      const { pool, drop } = await freshDatabase(connections)
      await pool.query('create table queue (id bigint generated always as identity primary key, payload text not null)')
      const loop = async (ledger: Ledger | undefined) => {
        const connection = await pool.connect()
        for (let isOver = false; !isOver; ) {
          await connection.query('begin')
          const { rows } = await connection.query<{ payload: string }>(
            `delete from queue where id in (select id from queue order by id limit 200 for update skip locked) returning payload`,
          )
          await sideBySide(rows.length, handlersAtOnce, async (index) => {
            const payload = JSON.parse(rows[index]!.payload) as typeof order
            ledger?.handled(payload.id, JSON.stringify(payload))
          })
          await connection.query('commit')
          isOver = rows.length === 0
        }
        connection.release()
      }
      return {
        async prepare(messages, ledger) {
          const ids = Array.from({ length: messages }, (_value, index) => `m-${index}`)
          for (const id of ids) ledger?.sent(id, body(id))
          for (let first = 0; first < messages; first += filledAtOnce) {
            await pool.query('insert into queue (payload) select * from unnest($1::text[])', [
              ids.slice(first, first + filledAtOnce).map(body),
            ])
          }
          await pool.query('vacuum (analyze) queue')
        },
        async run(_messages, ledger) {
          await Promise.all([loop(ledger), loop(ledger)])
        },
        stop: drop,
      }
    },
  }
}

function evt(name: string, prefetch?: number): Contender {
  return {
    name,
    async start(): Promise<Running> {
      const { pool, drop } = await freshDatabase(connections)
      const transport = pgTransport({ pool })
      await transport.migrate()
      const bus = createBus({ service: 'bench', logger: silentLogger, transport })
      return {
        async prepare(messages, ledger) {
          for (let first = 0; first < messages; first += filledAtOnce) {
            const ids = Array.from({ length: filledAtOnce }, (_value, index) => `m-${first + index}`)
            for (const id of ids) ledger?.sent(id, body(id))
            await bus.publishMany(ids.map((id) => OrderCreated.of({ ...order, id })))
          }
          await pool.query('vacuum (analyze) evt_transport_message, evt_transport_parcel')
        },
        async run(messages, ledger) {
          let left = messages
          let isComplete = () => {}
          const all = new Promise<void>((resolve) => {
            isComplete = resolve
          })
          const handler = async (payload: typeof order) => {
            ledger?.handled(payload.id, JSON.stringify(payload))
            left -= 1
            if (left === 0) isComplete()
          }
          const options = { group: 'bench', concurrency: handlersAtOnce, prefetch }
          const subscription = await bus.subscribe(OrderCreated, handler, options)
          await all
          // Resolves when everything is acknowledged.
          await subscription.close()
        },
        async collect() {
          const { rows } = await pool.query<{ left: number }>('select count(*)::int as left from evt_transport_parcel')
          if (rows[0]!.left > 0) throw new Error(`${rows[0]!.left} parcels were not acknowledged`)
          await pool.query('truncate evt_transport_message')
        },
        async stop() {
          await bus.close()
          await drop()
        },
      }
    },
  }
}
