import { contextKey, type DeadLetterEntry, type DeadLetters, type Middleware, on, reject, retry } from '@evt/core'
import { createTestBus, createVirtualClock } from '../src/index.ts'
import { failed, Keyed, Tick, Tock } from './numbered-events.ts'

test('next answers published payloads one after the other, also those that come later, and those that match', async () => {
  await using bus = createTestBus()
  await bus.publishMany([1, 2, 3].map((n) => Tick.of({ n })))
  expect(await bus.next(Tick, ({ n }) => n === 2)).toEqual({ n: 2 })
  expect(await bus.next(Tick)).toEqual({ n: 1 })
  expect(await bus.next(Tick)).toEqual({ n: 3 })
  const later = bus.next(Tick, ({ n }) => n > 4)
  await bus.publishMany([4, 5].map((n) => Tick.of({ n })))
  expect(await later).toEqual({ n: 5 })
})

test('next rejects when nothing matches in time and says what is left to do; it takes nothing afterwards', async () => {
  await using bus = createTestBus({ deadlineMs: 60 })
  await bus.subscribe(Tick, () => retry('busy', { afterMs: 30_000 }), { group: 'a' })
  await bus.publish(Tick, { n: 1 })
  expect(await failed(bus.next(Tock, { n: 2 } as never))).toMatchObject({ details: { option: 'match' } })
  const error = await failed(bus.next(Tock))
  expect(error).toMatchObject({ code: 'EVT_TESTING_NOT_PUBLISHED' })
  expect((error as Error).message).toMatch(/"tock".*60 ms: test\/a has messages left: 1 waiting for a retry/)
  await bus.publish(Tock, { n: 2 })
  expect(await bus.next(Tock)).toEqual({ n: 2 })
})

test('published has one entry for each message id, and none for what was not accepted', async () => {
  await using bus = createTestBus({ faults: { duplicate: 1 } })
  let runs = 0
  await bus.subscribe(
    Tick,
    ({ n }) => {
      runs += 1
      return Tock.of({ n })
    },
    { group: 'a' },
  )
  await bus.publish(Tick, { n: 1 })
  await bus.settled()
  expect([runs, bus.published(Tick), bus.published(Tock)]).toEqual([2, [{ n: 1 }], [{ n: 1 }]])
})

test('duplicates and disorder by seed are the same in every run', async () => {
  const run = async (seed: number) => {
    await using bus = createTestBus({ faults: { duplicate: 0.3, reorder: 5, seed } })
    const seen: number[] = []
    await bus.subscribe(Tick, ({ n }) => void seen.push(n), { group: 'a', concurrency: 1 })
    for (let n = 0; n < 40; n += 1) await bus.publish(Tick, { n })
    await bus.settled()
    return seen
  }
  const first = await run(7)
  expect(first.length).toBeGreaterThan(40)
  expect(new Set(first).size).toBe(40)
  expect(first).not.toEqual([...first].sort((left, right) => left - right))
  expect(await run(7)).toEqual(first)
  expect(await run(8)).not.toEqual(first)
})

test('retries are jittered by the seed, so that they come at the same times in every run', async () => {
  const run = async () => {
    await using bus = createTestBus()
    const times: number[] = []
    await bus.subscribe(
      Tick,
      () => {
        times.push(bus.clock.monotonicMs())
        throw new Error('again')
      },
      { group: 'a' },
    )
    await bus.publish(Tick, { n: 1 })
    await bus.settled()
    return times
  }
  const times = await run()
  expect(times.length).toBe(5)
  expect(await run()).toEqual(times)
})

test('the subscriptions start at the first use, whichever that is', async () => {
  const uses: ((bus: ReturnType<typeof createTestBus>) => unknown)[] = [
    (bus) => bus.publish(Tick, { n: 1 }),
    (bus) => bus.publishMany([Tick.of({ n: 1 })]),
    (bus) => bus.fire(Tick, { n: 1 }),
    (bus) => bus.settled(),
    (bus) => bus.start(),
    (bus) => bus.register(Tick),
  ]
  for (const use of uses) {
    await using bus = createTestBus({ subscriptions: [on(Tick, () => {}, { group: 'a' })] })
    expect(bus.describe().subscriptions.length).toBe(0)
    await use(bus)
    await bus.settled()
    expect(bus.describe().subscriptions.map(({ consumer }) => consumer)).toEqual(['test/a'])
  }
})

test('a subscription that cannot start makes the first use reject with its error', async () => {
  const wrong = on(Tick, () => {}, { group: 'a', transport: 'elsewhere' })
  await using bus = createTestBus({ subscriptions: [wrong] })
  expect(await failed(bus.publish(Tick, { n: 1 }))).toMatchObject({ code: 'EVT_TRANSPORT_UNKNOWN' })
})

test('what a handler publishes itself and what is fired is settled and recorded like the rest', async () => {
  await using bus = createTestBus()
  await bus.subscribe(Tick, async ({ n }, delivery) => void (await delivery.publish(Tock, { n })), { group: 'a' })
  bus.fire(Tick, { n: 3 })
  await bus.settled()
  expect(bus.published(Tock)).toEqual([{ n: 3 }])
})

test('middleware runs inside the test bus as in any other', async () => {
  const tenant = contextKey<string>('tenant')
  const tenancy: Middleware = {
    name: 'tenancy',
    async consume(delivery, next) {
      delivery.set(tenant, delivery.metadata.tenant ?? 'nobody')
      return next()
    },
  }
  const seen: string[] = []
  await using bus = createTestBus({ service: 'orders', use: [tenancy] })
  await bus.subscribe(Tick, (_tick, delivery) => void seen.push(`${delivery.consumer} ${delivery.get(tenant)}`), {
    group: 'a',
  })
  await bus.publish(Tick, { n: 1 }, { metadata: { tenant: 'acme' } })
  await bus.settled()
  expect(seen).toEqual(['orders/a acme'])
})

test('dead letters also go to the store that was given', async () => {
  const kept: DeadLetterEntry[] = []
  const store: DeadLetters = {
    name: 'own',
    append: async (entries) => void kept.push(...entries),
    blockedKeys: async () => [],
  }
  await using bus = createTestBus({ deadLetters: store })
  await bus.subscribe(Tick, () => reject('no'), { group: 'a' })
  await bus.publish(Tick, { n: 1 })
  await bus.settled()
  expect(kept.map(({ reason }) => reason)).toEqual(['no'])
  expect(bus.rejected(Tick)).toEqual([{ payload: { n: 1 }, error: 'no', consumer: 'test/a', attempts: 1 }])
})

test('a key is blocked behind its dead letter where the subscription asks for that', async () => {
  await using bus = createTestBus()
  const runs: number[] = []
  await bus.subscribe(
    Keyed,
    ({ n }) => {
      runs.push(n)
      reject('no')
    },
    { group: 'a', afterDeadLetter: 'blockKey' },
  )
  await bus.publishMany([Keyed.of({ n: 1 }), Keyed.of({ n: 2 })])
  await bus.settled()
  expect(runs).toEqual([1])
  expect(bus.rejected(Keyed)).toMatchObject([{ payload: { n: 1 }, error: 'no' }, { attempts: 1 }])
})

test('a clock that is passed in is the bus’s own', async () => {
  const clock = createVirtualClock({ startAt: new Date('2031-01-01T00:00:00Z') })
  await using bus = createTestBus({ clock })
  const times: string[] = []
  await bus.subscribe(Tick, (_tick, delivery) => void times.push(delivery.time.toISOString()), { group: 'a' })
  await clock.advance(1_000)
  await bus.publish(Tick, { n: 1 })
  await bus.settled()
  expect([bus.clock === clock, times]).toEqual([true, ['2031-01-01T00:00:01.000Z']])
})

test('it works while the test runner has replaced the timers', async () => {
  jest.useFakeTimers()
  try {
    const seen: number[] = []
    await using bus = createTestBus({ faults: { reorder: 3 } })
    await bus.subscribe(
      Tick,
      ({ n }, delivery) => {
        if (delivery.attempt === 1) throw new Error('again')
        seen.push(n)
      },
      { group: 'a' },
    )
    await bus.publish(Tick, { n: 1 })
    await bus.settled()
    expect(seen).toEqual([1])
  } finally {
    jest.useRealTimers()
  }
})

test('health and the description of the bus stay visible', async () => {
  await using bus = createTestBus({ service: 'orders' })
  await bus.subscribe(Tick, () => {}, { group: 'a' })
  expect(await bus.health()).toMatchObject({ status: 'healthy' })
  expect(bus.describe()).toMatchObject({ service: 'orders', transports: [{ kind: 'memory' }] })
  expect(bus.service).toBe('orders')
})

test('closing is idempotent, and afterwards publishing is refused', async () => {
  const bus = createTestBus()
  await bus.publish(Tick, { n: 1 })
  await Promise.all([bus.close(), bus.close()])
  expect(await failed(bus.publish(Tick, { n: 2 }))).toMatchObject({ code: 'EVT_BUS_CLOSED' })
})

test('options that nobody reads and faults that make no sense are refused', () => {
  expect(() => createTestBus({ transport: {} } as never)).toThrow(/no option "transport"/)
  expect(() => createTestBus({ faults: { lose: 1 } } as never)).toThrow(/no option "lose"/)
  expect(() => createTestBus({ faults: { duplicate: 2 } })).toThrow(/faults\.duplicate/)
  expect(() => createTestBus({ faults: { reorder: 0 } })).toThrow(/faults\.reorder/)
  expect(() => createTestBus({ subscriptions: {} as never })).toThrow(/"subscriptions": expected a list/)
  expect(() => createTestBus({ use: {} as never })).toThrow(/"use": expected a list/)
  expect(() => createTestBus({ clock: { nowMs: Date.now } as never })).toThrow(/createVirtualClock/)
  expect(() => createTestBus({ faults: { seed: -1 } })).toThrow(/seed/)
})
