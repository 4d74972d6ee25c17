import { createBus, memoryTransport, silentLogger, type Transport } from '@evt/core'
import { pgOutbox } from '@evt/outbox-pg'
import type { Ledger } from './ledger.ts'
import { KeyedOrder } from './order.ts'
import { onlyWhenDrained, outboxDatabase } from './outbox-database.ts'
import { graphileJobs, pgBossJobs } from './pg-job-peers.ts'
import { sideBySide } from './side-by-side.ts'
import type { Contender, Running, Workload } from './workload.ts'

const backlog = 100_000
const great = 1_000_000
const batch = 1_000
const handlersAtOnce = 64

/** A relay carries committed rows to a transport. A peer does what comes nearest: it works off as many jobs. */
export const workloads: readonly Workload[] = [
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
      { ...graphileJobs(), messages: 10_000 },
      { ...pgBossJobs(), messages: 5_000 },
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
        relay: { ...onlyWhenDrained, ...(rows === undefined ? {} : { batch: rows }) },
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
