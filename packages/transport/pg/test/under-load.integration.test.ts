import { createBus, defineEvent, silentLogger, type } from '@evt/core'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { type PgTransport, pgTransport } from '../src/index.ts'
import { until } from './harness.ts'

const Created = defineEvent('order.created', { schema: type<{ id: string }>() })
let database: FreshDatabase
const transports: PgTransport[] = []
beforeEach(async () => {
  database = await freshDatabase()
  await process().migrate()
})
afterEach(async () => {
  for (const transport of transports.splice(0)) await transport.close()
  await database.drop()
})
/** A transport as another process would have one. */
function process(): PgTransport {
  const transport = pgTransport({ pool: database.pool, pollMs: 50 })
  transports.push(transport)
  return transport
}
const busOver = (transport: PgTransport) => createBus({ service: 'orders', transport, logger: silentLogger })

test('a handler that fails twice runs three times, with the configured gaps, kept by the server', async () => {
  await using bus = busOver(process())
  const runs: { readonly attempt: number; readonly atMs: number }[] = []
  const subscription = await bus.subscribe(
    Created,
    (_order, { attempt }) => {
      runs.push({ attempt, atMs: performance.now() })
      if (attempt < 3) throw new Error('again')
    },
    // No gap is held in the process: both go through the column that says when a message is due.
    { group: 'a', holdMs: 1, retry: { attempts: 5, backoff: { minMs: 200, factor: 2, jitter: false } } },
  )
  await bus.publish(Created, { id: '1' })
  await until(() => subscription.stats().acknowledged === 1)
  expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
  expect(runs[1]!.atMs - runs[0]!.atMs).toBeGreaterThanOrEqual(200)
  expect(runs[2]!.atMs - runs[1]!.atMs).toBeGreaterThanOrEqual(400)
  expect(subscription.stats()).toMatchObject({ retried: 2, deadLettered: 0 })
})

test('a graceful close under load redelivers nothing that finished, and loses nothing that did not', async () => {
  const count = 2_000
  const finished = new Map<string, number>()
  const handler = async ({ id }: { readonly id: string }) => {
    await new Promise<void>((resolve) => setImmediate(resolve))
    finished.set(id, (finished.get(id) ?? 0) + 1)
  }
  await using publishing = busOver(process())
  const options = { group: 'a', concurrency: 8 } as const
  const closing = busOver(process())
  await closing.subscribe(Created, handler, options)
  const publish = async () => {
    for (let first = 0; first < count; first += 50) {
      await publishing.publishMany(
        Array.from({ length: 50 }, (_value, index) => Created.of({ id: String(first + index) })),
      )
    }
  }
  const published = publish()
  await until(() => finished.size >= 300)
  await closing.close()
  const before = finished.size
  expect(before).toBeLessThan(count)
  await using next = busOver(process())
  await next.subscribe(Created, handler, options)
  await published
  await until(() => finished.size === count)
  expect([...finished.values()].filter((runs) => runs > 1)).toEqual([])
})
