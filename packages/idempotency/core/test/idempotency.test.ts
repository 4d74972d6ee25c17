import { createBus, defineEvent, isEvtError, memoryTransport, silentLogger, type } from '@evt/core'
import { eventually } from '@evt/core/conformance'
import {
  exactlyOnce,
  type IdempotencyStore,
  type InboxStore,
  idempotency,
  memoryIdempotencyStore,
  memoryInbox,
  messageKey,
} from '../src/index.ts'

const Created = defineEvent('order.created', { schema: type<{ id: string; order: string }>() })

/** A memory store whose methods can be made to fail. */
function fragile() {
  const store = memoryIdempotencyStore()
  const down = new Set<keyof IdempotencyStore>()
  const calls: Partial<Record<keyof IdempotencyStore, number>> = {}
  const guarded =
    <Arguments extends unknown[], Result>(
      name: keyof IdempotencyStore,
      work: (...given: Arguments) => Promise<Result>,
    ) =>
    async (...given: Arguments) => {
      calls[name] = (calls[name] ?? 0) + 1
      if (down.has(name)) throw new Error(`${name}: down`)
      return work(...given)
    }
  const wrapped: IdempotencyStore = {
    name: 'fragile',
    claim: guarded('claim', store.claim),
    renew: guarded('renew', store.renew),
    complete: guarded('complete', store.complete),
    release: guarded('release', store.release),
  }
  return { store: wrapped, down, calls }
}

test('while the store is down deliveries are retried and burn no attempt', async () => {
  const { store, down } = fragile()
  const protect = idempotency({ store })
  await using bus = createBus({ service: 's', transport: memoryTransport(), logger: silentLogger, use: [protect] })
  const attempts: number[] = []
  const subscription = await bus.subscribe(Created, async (_order, { attempt }) => void attempts.push(attempt), {
    group: 'a',
    retry: { attempts: 1 },
  })
  down.add('claim')
  await bus.publish(Created, { id: '1', order: '1' })
  await eventually(() => protect.stats().unavailable > 0, 'the store is found down')
  down.clear()
  await eventually(() => subscription.stats().acknowledged === 1, 'it is handled once the store is back')
  expect(attempts).toEqual([1])
})

test('with whenUnavailable "proceed" deliveries are handled without protection, and counted', async () => {
  const { store, down } = fragile()
  const protect = idempotency({ store, whenUnavailable: 'proceed' })
  await using bus = createBus({ service: 's', transport: memoryTransport(), logger: silentLogger, use: [protect] })
  down.add('claim')
  let runs = 0
  const subscription = await bus.subscribe(
    Created,
    async () => {
      runs += 1
    },
    { group: 'a' },
  )
  await bus.publish(Created, { id: '1', order: '1' }, { id: 'same' })
  await bus.publish(Created, { id: '1', order: '1' }, { id: 'same' })
  await eventually(() => subscription.stats().acknowledged === 2, 'both are handled')
  expect(runs).toBe(2)
  expect(protect.stats().unavailable).toBe(2)
})

test('a message whose claim cannot be completed is acknowledged all the same, and counted', async () => {
  const { store, down, calls } = fragile()
  const protect = idempotency({ store })
  await using bus = createBus({ service: 's', transport: memoryTransport(), logger: silentLogger, use: [protect] })
  down.add('complete')
  let runs = 0
  const subscription = await bus.subscribe(
    Created,
    async () => {
      runs += 1
    },
    { group: 'a' },
  )
  await bus.publish(Created, { id: '1', order: '1' })
  await eventually(() => subscription.stats().acknowledged === 1, 'it is acknowledged')
  expect([runs, protect.stats().uncompleted, calls.complete]).toEqual([1, 1, 3])
})

test('deliveries that arrive together are claimed and completed in few calls', async () => {
  const { store, calls } = fragile()
  const use = [idempotency({ store })]
  await using bus = createBus({ service: 's', transport: memoryTransport(), logger: silentLogger, use })
  const subscription = await bus.subscribe(Created, async () => {}, { group: 'a', concurrency: 64, ordered: 'none' })
  await bus.publishMany(Array.from({ length: 256 }, (_v, n) => Created.of({ id: String(n), order: '1' })))
  await eventually(() => subscription.stats().acknowledged === 256, 'all are handled')
  expect(calls.claim! + calls.complete!).toBeLessThan(100)
})

test('a renewal that is never answered is not the last one, so that a long handler keeps its claim', async () => {
  const inner = memoryIdempotencyStore()
  let asked = 0
  const renew: IdempotencyStore['renew'] = (claims, leaseMs) => {
    asked += 1
    return asked === 1 ? new Promise(() => {}) : inner.renew(claims, leaseMs)
  }
  const protect = idempotency({ store: { ...inner, renew }, leaseMs: 150 })
  await using bus = createBus({ service: 's', transport: memoryTransport(), logger: silentLogger, use: [protect] })
  let finish: () => void = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const subscription = await bus.subscribe(Created, () => finished, { group: 'a' })
  await bus.publish(Created, { id: '1', order: '1' })
  await eventually(() => asked >= 6, 'it is renewed for more than its lease')
  finish()
  await eventually(() => subscription.stats().acknowledged === 1, 'it is acknowledged')
  expect(protect.stats().uncompleted).toBe(0)
})

test('a key of one’s own stands for the message id, within consumer and event', async () => {
  const use = [
    idempotency({ store: memoryIdempotencyStore(), key: (delivery) => (delivery.payload as { order: string }).order }),
  ]
  await using bus = createBus({ service: 's', transport: memoryTransport(), logger: silentLogger, use })
  const handled: string[] = []
  const subscription = await bus.subscribe(Created, async (order) => void handled.push(order.id), { group: 'a' })
  await bus.publish(Created, { id: '1', order: 'x' })
  await bus.publish(Created, { id: '2', order: 'x' })
  await bus.publish(Created, { id: '3', order: 'y' })
  await eventually(() => subscription.stats().acknowledged === 3, 'all are acknowledged')
  expect(handled).toEqual(['1', '3'])
})

test('claim, complete and release work by hand', async () => {
  const steps = idempotency({ store: memoryIdempotencyStore() })
  const first = await steps.claim('import', 'file/1')
  if (first.status !== 'claimed') throw new Error('expected a claim')
  expect((await steps.claim('import', 'file/1')).status).toBe('held')
  expect(await steps.release(first.claim)).toBe(true)
  const second = await steps.claim('import', 'file/1')
  if (second.status !== 'claimed') throw new Error('expected a claim')
  expect(await steps.complete(first.claim)).toBe(false)
  expect(await steps.complete(second.claim)).toBe(true)
  expect((await steps.claim('import', 'file/1')).status).toBe('done')
})

test('keys of any length fit, and long ones are told apart', () => {
  const key = (id: string) => messageKey({ type: 'order.created', id })
  expect(key('1')).toBe('order.created/1')
  expect(key(`${'x'.repeat(10_000)}1`).length).toBeLessThan(300)
  expect(key(`${'x'.repeat(10_000)}1`)).not.toBe(key(`${'x'.repeat(10_000)}2`))
  expect(key(`${'x'.repeat(400)}\ud800`)).not.toBe(key(`${'x'.repeat(400)}\ud801`))
})

test('illegal options, and an inbox of another database, are refused at construction', () => {
  const store = memoryIdempotencyStore()
  expect(() => idempotency({ store, ttl: 5 } as never)).toThrow(/ttl/)
  expect(() => idempotency({ store: undefined as never })).toThrow(/store/)
  expect(() => idempotency({ store, whenUnavailable: 'ignore' as never })).toThrow(/whenUnavailable/)
  expect(() => memoryIdempotencyStore({ maxEntries: 0 })).toThrow(/maxEntries/)
  expect(() => memoryIdempotencyStore({ ttlMs: 5 } as never)).toThrow(/ttlMs/)
  expect(() => memoryInbox({ ttlMs: 5 } as never)).toThrow(/ttlMs/)
  expect(() =>
    exactlyOnce({ transactions: { run: async () => undefined as never }, inbox: memoryInbox(), once: 1 } as never),
  ).toThrow(/once/)
  expect(() => exactlyOnce({ transactions: { run: async () => undefined as never }, inbox: {} } as never)).toThrow(
    /inbox.enter/,
  )
  const once = exactlyOnce({ transactions: { run: async () => undefined as never }, inbox: memoryInbox() })
  expect(() => once(undefined as never)).toThrow(/"handler"/)
  expect(() => once.batch(undefined as never)).toThrow(/"handler"/)
  const run = async () => undefined as never
  const inbox: InboxStore<never> = { name: 'other', scope: 'b', enter: async () => [] }
  let refused: unknown
  try {
    exactlyOnce({ transactions: { run, scope: 'a' }, inbox })
  } catch (error) {
    refused = error
  }
  expect(isEvtError(refused, 'EVT_TRANSACTION_FOREIGN') && refused.details).toEqual({ expected: 'a', actual: 'b' })
})
