import { createBus, silentLogger } from '@evt/core'
import { freshDatabase } from '@evt/servers'
import { pgTransport } from '@evt/transport-pg'
import { makeWorkerUtils, Logger as QuietLogger } from 'graphile-worker'
import PgBoss from 'pg-boss'
import { timeOrderedId } from './ideal-id.ts'
import { OrderCreated, order } from './order.ts'
import { sideBySide } from './side-by-side.ts'
import type { Contender, Workload } from './workload.ts'

const atOnce = 256
const connections = 8
const most = 500
const body = JSON.stringify(order)

/** Publishing to a queue in PostgreSQL; a message counts when it is committed. */
export const workloads: readonly Workload[] = [
  {
    kind: 'throughput',
    id: 'w3.pg',
    title: `PostgreSQL: ${atOnce} publishes awaited side by side`,
    messages: 20_000,
    checked: 'everyRound',
    servers: ['postgres'],
    contenders: [byHand(), evt(), { ...pgBoss(), messages: 3_000 }, { ...graphile(), messages: 3_000 }],
    goals: [
      { text: 'of the speed of batches by hand', value: (read) => read.ratio('evt', 'batches by hand'), atLeast: 0.8 },
      { text: 'times as fast as pg-boss', value: (read) => read.ratio('evt', 'pg-boss'), atLeast: 3 },
      { text: 'times as fast as graphile-worker', value: (read) => read.ratio('evt', 'graphile-worker'), atLeast: 3 },
    ],
  },
]

/** What is published while an insert is under way goes with the next one: two at a time, one row each in a table of its own. */
function byHand(): Contender {
  return {
    name: 'batches by hand',
    async start() {
      const { pool, drop } = await freshDatabase(connections)
      await pool.query(
        'create table queue (id bigint generated always as identity primary key, message_id text, headers text, payload text)',
      )
      let waiting: { row: readonly string[]; resolve(): void }[] = []
      let running = 0
      const flush = async () => {
        running += 1
        while (waiting.length > 0) {
          const sent = waiting.slice(0, most)
          waiting = waiting.slice(most)
          await pool.query(
            'insert into queue (message_id, headers, payload) select * from unnest($1::text[], $2::text[], $3::text[])',
            [0, 1, 2].map((column) => sent.map(({ row }) => row[column])),
          )
          for (const { resolve } of sent) resolve()
        }
        running -= 1
      }
      const publish = async () => {
        const nowMs = Date.now()
        const id = timeOrderedId(nowMs)
        const headers = JSON.stringify({
          'ce-specversion': '1.0',
          'ce-id': id,
          'ce-source': '/bench',
          'ce-type': 'order.created',
          'ce-time': new Date(nowMs).toISOString(),
          'content-type': 'application/json',
        })
        await new Promise<void>((resolve) => {
          waiting.push({ row: [id, headers, JSON.stringify(order)], resolve })
          if (running < 2) setImmediate(() => void (running < 2 && flush()))
        })
        return id
      }
      return {
        run: (messages, ledger) => sideBySide(messages, atOnce, async () => ledger?.sent(await publish(), body)),
        async collect(ledger) {
          const { rows } = await pool.query<{ message_id: string; payload: string }>(
            'select message_id, payload from queue',
          )
          for (const row of rows) ledger?.handled(row.message_id, row.payload)
          await pool.query('truncate queue')
        },
        stop: drop,
      }
    },
  }
}

function evt(): Contender {
  return {
    name: 'evt',
    async start() {
      const { pool, drop } = await freshDatabase(connections)
      const transport = pgTransport({ pool })
      await transport.migrate()
      const bus = createBus({ service: 'bench', logger: silentLogger, transport })
      // A group that has everything still to do, as there would be one.
      const subscription = await bus.subscribe(OrderCreated, () => undefined, { group: 'bench' })
      await subscription.close()
      return {
        run: (messages, ledger) =>
          sideBySide(messages, atOnce, async () => ledger?.sent((await bus.publish(OrderCreated, order)).id, body)),
        async collect(ledger) {
          const { rows } = await pool.query<{ id: string; payload: string }>(
            `select headers::json->>'ce-id' as id, convert_from(payload, 'utf8') as payload from evt_transport_message`,
          )
          for (const { id, payload } of rows) ledger?.handled(id, payload)
          await pool.query('truncate evt_transport_message, evt_transport_parcel')
        },
        async stop() {
          await bus.close()
          await drop()
        },
      }
    },
  }
}

function pgBoss(): Contender {
  return {
    name: 'pg-boss',
    async start() {
      const { pool, url, drop } = await freshDatabase(2)
      const boss = new PgBoss({ connectionString: url, max: connections, supervise: false, schedule: false })
      await boss.start()
      await boss.createQueue('order')
      return {
        run: (messages, ledger) =>
          sideBySide(messages, atOnce, async () => ledger?.sent((await boss.send('order', order))!, body)),
        async collect(ledger) {
          const { rows } = await pool.query<{ id: string }>('select id from pgboss.job')
          for (const { id } of rows) ledger?.handled(id)
          await pool.query('truncate pgboss.job')
        },
        async stop() {
          await boss.stop({ graceful: false })
          await drop()
        },
      }
    },
  }
}

function graphile(): Contender {
  return {
    name: 'graphile-worker',
    async start() {
      const { pool, url, drop } = await freshDatabase(2)
      const logger = new QuietLogger(() => () => undefined)
      const utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: connections, logger })
      await utils.migrate()
      return {
        run: (messages, ledger) =>
          sideBySide(messages, atOnce, async () => ledger?.sent(String((await utils.addJob('order', order)).id), body)),
        async collect(ledger) {
          const { rows } = await pool.query<{ id: string }>('select id::text from graphile_worker._private_jobs')
          for (const { id } of rows) ledger?.handled(id)
          await pool.query('truncate graphile_worker._private_jobs')
        },
        async stop() {
          await utils.release()
          await drop()
        },
      }
    },
  }
}
