import { randomUUID } from 'node:crypto'
import type { IncomingDelivery, Outcome } from '@evt/core'
import { type IdempotencyStore, idempotency, memoryIdempotencyStore } from '@evt/idempotency'
import { pgIdempotencyStore } from '@evt/idempotency-pg'
import { freshDatabase } from '@evt/servers'
import type { Ledger } from './ledger.ts'
import { sideBySide } from './side-by-side.ts'
import type { Contender, Workload } from './workload.ts'

const atOnce = 64
const ttlMs = 3_600_000
const ack: Outcome = { status: 'ack' }

/** Claim, handler, complete, for messages that are all new. */
export const workloads: readonly Workload[] = [
  {
    kind: 'throughput',
    id: 'w12.memory',
    title: `idempotent handlers over a store in memory, ${atOnce} at a time`,
    messages: 50_000,
    checked: 'everyRound',
    contenders: [
      handWritten(),
      middleware('evt', async () => ({ store: memoryIdempotencyStore({ maxEntries: 1_000_000 }) })),
    ],
    goals: [
      { text: 'ns more than by hand', value: (read) => read.median('evt') - read.median('hand-written'), atMost: 300 },
    ],
  },
  {
    kind: 'throughput',
    id: 'w12.pg',
    title: `idempotent handlers over PostgreSQL, ${atOnce} at a time`,
    messages: 10_000,
    checked: 'everyRound',
    servers: ['postgres'],
    contenders: [singleStatements(), middleware('evt', postgresStore)],
    goals: [
      {
        text: 'of the speed of single statements',
        value: (read) => read.ratio('evt', 'single statements'),
        atLeast: 1,
      },
    ],
  },
]

interface OpenStore {
  readonly store: IdempotencyStore
  close?(): Promise<void>
}

async function postgresStore(): Promise<OpenStore> {
  const { pool, drop } = await freshDatabase(4)
  const store = pgIdempotencyStore({ pool })
  await store.migrate()
  return { store, close: drop }
}

function middleware(name: string, open: () => Promise<OpenStore>): Contender {
  return {
    name,
    async start() {
      const { store, close } = await open()
      const { consume } = idempotency({ store, ttlMs })
      return {
        async run(messages, ledger) {
          await sideBySide(messages, atOnce, async () => {
            const id = randomUUID()
            ledger?.sent(id)
            const delivery = { type: 'order.created', id, consumer: 'bench' } as unknown as IncomingDelivery
            await consume!(delivery, () => handle(id, ledger))
          })
        },
        stop: async () => close?.(),
      }
    },
  }
}

/** The least that remembers: a Map and when each entry ends. */
function handWritten(): Contender {
  return {
    name: 'hand-written',
    async start() {
      const until = new Map<string, number>()
      return {
        async run(messages, ledger) {
          await sideBySide(messages, atOnce, async () => {
            const id = randomUUID()
            ledger?.sent(id)
            const key = `bench order.created ${id}`
            if ((until.get(key) ?? 0) > performance.now()) return
            until.set(key, performance.now() + ttlMs)
            await handle(id, ledger)
          })
        },
        async stop() {},
      }
    },
  }
}

/** As people write it: an insert before and an update after each message. */
function singleStatements(): Contender {
  return {
    name: 'single statements',
    async start() {
      const { pool, drop } = await freshDatabase(16)
      await pool.query(
        'create table claims (id text primary key, done boolean not null default false, until timestamptz not null)',
      )
      return {
        async run(messages, ledger) {
          await sideBySide(messages, atOnce, async () => {
            const id = randomUUID()
            ledger?.sent(id)
            const { rowCount } = await pool.query(
              `insert into claims (id, until) values ($1, now() + interval '30 s') on conflict do nothing`,
              [id],
            )
            if (rowCount === 0) return
            await handle(id, ledger)
            await pool.query(`update claims set done = true, until = now() + interval '1 h' where id = $1`, [id])
          })
        },
        stop: drop,
      }
    },
  }
}

async function handle(id: string, ledger: Ledger | undefined): Promise<Outcome> {
  ledger?.handled(id)
  return ack
}
