import { createBus, memoryTransport, silentLogger, type Transport } from '@evt/core'
import { pgOutbox } from '@evt/outbox-pg'
import { freshDatabase } from '@evt/servers'
import { makeWorkerUtils, Logger as QuietLogger, run as runGraphile } from 'graphile-worker'
import PgBoss from 'pg-boss'
import type { Ledger } from './ledger.ts'
import { KeyedOrder, order } from './order.ts'
import { sideBySide } from './side-by-side.ts'
import type { Contender, Running, Workload } from './workload.ts'

const backlog = 100_000
const great = 1_000_000
const batch = 1_000
const handlersAtOnce = 64
const bodyOf = (id: string) => JSON.stringify({ ...order, id })

/** A relay carries committed rows to a transport. A peer does what comes nearest: it works off as many jobs. */
export const w10: readonly Workload[] = [
  {
    kind: 'throughput',
    id: 'w10.noop',
    title: 'relay drains 100,000 rows to a transport that does nothing',
    messages: backlog,
    checked: 'everyRound',
    servers: ['postgres'],
    contenders: [
      rawLoop('raw loop', 'noop'),
      evt('evt', { to: 'noop' }),
      evt('evt, batch 4,000', { to: 'noop', batch: 4_000 }),
      { ...graphile(), messages: 10_000 },
      { ...pgBoss(), messages: 5_000 },
    ],
    goals: [
      { text: 'of the speed of the raw loop', value: (read) => read.ratio('evt', 'raw loop'), atLeast: 0.8 },
      { text: 'rows a second', value: (read) => read.perSecond('evt'), atLeast: 80_000 },
      { text: 'times as fast as graphile-worker', value: (read) => read.ratio('evt', 'graphile-worker'), atLeast: 4 },
    ],
  },
  {
    kind: 'throughput',
    id: 'w10.memory',
    title: 'relay drains 100,000 rows to handlers over the memory transport',
    messages: backlog,
    checked: 'everyRound',
    servers: ['postgres'],
    contenders: [
      rawLoop('raw loop, parsed', 'parsed'),
      evt('evt', { to: 'memory' }),
      { ...evt('evt, settled', { to: 'settled' }), messages: 20_000 },
    ],
    goals: [
      { text: 'of the speed of the raw loop', value: (read) => read.ratio('evt', 'raw loop, parsed'), atLeast: 0.8 },
    ],
  },
  {
    kind: 'throughput',
    id: 'w10.great',
    title: 'relay drains under a backlog of 1,000,000 rows, and while a transaction keeps dead rows from being removed',
    messages: backlog,
    checked: 'everyRound',
    servers: ['postgres'],
    mostRounds: 2,
    contenders: [
      evt('evt', { to: 'noop' }),
      { ...evt('evt, 1,000,000 rows', { to: 'noop' }), messages: great },
      evt('evt, pinned xmin', { to: 'noop', isPinned: true }),
    ],
    goals: [
      {
        text: 'of its speed, at 1,000,000 rows',
        value: (read) => read.ratio('evt, 1,000,000 rows', 'evt'),
        atLeast: 0.75,
      },
      {
        text: 'of its speed, under a pinned xmin',
        value: (read) => read.ratio('evt, pinned xmin', 'evt'),
        atLeast: 0.75,
      },
    ],
  },
]

/** Rows as the outbox writes them, copied from one that it wrote. */
async function outboxDatabase() {
  const database = await freshDatabase(8)
  const outbox = pgOutbox({ pool: database.pool, relay: false, listen: false })
  await outbox.migrate()
  const bus = createBus({ service: 'bench', logger: silentLogger, transport: memoryTransport(), outbox })
  await outbox.run(() => bus.publish(KeyedOrder, { ...order, id: 'template' }))
  await bus.close()
  const { pool } = database
  await pool.query('create table template as select transport, topic, headers from evt_outbox')
  return {
    ...database,
    async fill(rows: number, ledger: Ledger | undefined) {
      await pool.query('truncate evt_outbox')
      for (let first = 0; first < rows; first += 10_000) {
        const ids = Array.from({ length: Math.min(10_000, rows - first) }, (_value, index) => `m-${first + index}`)
        for (const id of ids) ledger?.sent(id)
        await pool.query(
          `insert into evt_outbox (transport, topic, message_id, key, headers, payload)
           select transport, topic, id, id, replace(headers, headers::json->>'ce-id', id), convert_to($2, 'utf8')
           from template, unnest($1::text[]) as id`,
          [ids, bodyOf('template')],
        )
      }
      await pool.query('vacuum (analyze) evt_outbox')
      await pool.query('checkpoint')
    },
  }
}

/** Reads page after page and deletes each while the next is read, as a relay without any guarantee would. */
function rawLoop(name: string, handles: 'noop' | 'parsed'): Contender {
  return {
    name,
    async start(): Promise<Running> {
      const { pool, fill, drop } = await outboxDatabase()
      const read = (after: string) =>
        pool.query<{ id: string; message_id: string; headers: string; payload: Buffer }>(
          'select id, topic, message_id, key, headers, payload from evt_outbox where id > $1 order by id limit $2',
          [after, batch],
        )
      return {
        prepare: fill,
        async run(_messages, ledger) {
          let deleting: Promise<unknown> = Promise.resolve()
          let reading = read('0')
          for (;;) {
            const { rows } = await reading
            if (rows.length === 0) break
            reading = read(rows.at(-1)!.id)
            if (handles === 'noop') for (const { message_id: id } of rows) ledger?.handled(id)
            // As many handlers at a time as the subscription has, each with its own promise.
            else {
              await sideBySide(rows.length, handlersAtOnce, async (index) => {
                const { message_id: id, headers, payload } = rows[index]!
                JSON.parse(headers)
                JSON.parse(payload.toString())
                ledger?.handled(id)
              })
            }
            await deleting
            deleting = pool.query('delete from evt_outbox where id = any ($1::bigint[])', [
              rows.map(({ id: row }) => row),
            ])
          }
          await deleting
        },
        stop: drop,
      }
    },
  }
}

interface Ours {
  readonly to: 'noop' | 'memory' | 'settled'
  readonly batch?: number
  readonly isPinned?: boolean
}

function evt(name: string, { to, batch: rows, isPinned = false }: Ours): Contender {
  return {
    name,
    async start(): Promise<Running> {
      const { pool, fill, drop } = await outboxDatabase()
      let ledger: Ledger | undefined
      let awaited = 0
      let arrived = () => {}
      const inMemory = memoryTransport(to === 'settled' ? { confirm: 'settled' } : {})
      const transport: Transport = to === 'noop' ? noop(inMemory, (id) => ledger?.handled(id)) : inMemory
      const outbox = pgOutbox({
        pool,
        listen: false,
        relay: { pollMs: 60_000, ...(rows === undefined ? {} : { batch: rows }) },
      })
      const bus = createBus({ service: 'bench', logger: silentLogger, transport, outbox })
      if (to !== 'noop') {
        const handler = (_order: unknown, delivery: { readonly id: string }) => {
          ledger?.handled(delivery.id)
          if (ledger?.handledCount === awaited) arrived()
        }
        await bus.subscribe(KeyedOrder, handler, { group: 'bench', concurrency: handlersAtOnce, ordered: 'none' })
      } else await bus.start()
      const pin = isPinned ? await pool.connect() : undefined
      return {
        async prepare(messages, record) {
          ledger = record
          awaited = messages
          await pin?.query('rollback')
          await fill(messages, record)
          await pin?.query('begin isolation level repeatable read')
          await pin?.query('select count(*) from evt_outbox')
        },
        async run() {
          const all = new Promise<void>((resolve) => {
            arrived = resolve
          })
          await outbox.relay.drain({ budgetMs: 600_000 })
          if (to !== 'noop' && ledger?.handledCount !== awaited) await all
        },
        async stop() {
          await pin?.query('rollback')
          pin?.release()
          await bus.close()
          await drop()
        },
      }
    },
  }
}

function noop(like: Transport, onMessage: (id: string) => void): Transport {
  return {
    ...like,
    name: 'memory',
    supports: { ...like.supports, durability: 'broker' },
    async publish(messages) {
      for (const { id } of messages) onMessage(id)
      return []
    },
  }
}

function graphile(): Contender {
  return {
    name: 'graphile-worker',
    async start(): Promise<Running> {
      const { pool, url, drop } = await freshDatabase(8)
      const logger = new QuietLogger(() => () => undefined)
      const utils = await makeWorkerUtils({ connectionString: url, logger })
      await utils.migrate()
      await utils.release()
      return {
        async prepare(messages, ledger) {
          const ids = Array.from({ length: messages }, (_value, index) => `m-${index}`)
          for (const id of ids) ledger?.sent(id)
          await pool.query(
            `select graphile_worker.add_job('order', json_build_object('id', id, 'body', $2::text)) from unnest($1::text[]) as id`,
            [ids, bodyOf('template')],
          )
        },
        async run(messages, ledger) {
          let left = messages
          let finished = () => {}
          const all = new Promise<void>((resolve) => {
            finished = resolve
          })
          const task = async (payload: unknown) => {
            ledger?.handled((payload as { id: string }).id)
            left -= 1
            if (left === 0) finished()
          }
          const settings = { connectionString: url, concurrency: 24, logger, noHandleSignals: true }
          const runner = await runGraphile({ ...settings, taskList: { order: task } })
          await all
          await runner.stop()
        },
        stop: drop,
      }
    },
  }
}

function pgBoss(): Contender {
  return {
    name: 'pg-boss',
    async start(): Promise<Running> {
      const { url, drop } = await freshDatabase(2)
      const boss = new PgBoss({ connectionString: url, max: 6, supervise: false, schedule: false })
      await boss.start()
      await boss.createQueue('order')
      return {
        async prepare(messages, ledger) {
          for (let first = 0; first < messages; first += 1_000) {
            const jobs = Array.from({ length: 1_000 }, (_value, index) => ({
              name: 'order',
              data: { ...order, id: `m-${first + index}` },
            }))
            for (const { data } of jobs) ledger?.sent(data.id)
            await boss.insert(jobs)
          }
        },
        async run(messages, ledger) {
          for (let left = messages; left > 0; ) {
            const jobs = await boss.fetch<typeof order>('order', { batchSize: batch })
            for (const { data } of jobs) ledger?.handled(data.id)
            await boss.complete(
              'order',
              jobs.map(({ id }) => id),
            )
            left -= jobs.length
          }
        },
        async stop() {
          await boss.stop({ graceful: false })
          await drop()
        },
      }
    },
  }
}
