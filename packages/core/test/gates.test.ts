import { acknowledge, circuitBreaker, type Middleware, on, onBatch, reject, retry } from '../src/index.ts'
import { makeRig, range, steady, Tick, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'

const circuit = { failures: 3, successes: 2, openMs: 10_000 }
const often = { attempts: 100, backoff: { minMs: 10, factor: 1, jitter: false } }

test('the rate limit gates the starting and fetching of messages and fails none', async () => {
  await using rig = makeRig()
  const starts: number[] = []
  const subscription = await rig.bus.subscribe(Tick, () => void starts.push(rig.clock.monotonicMs()), {
    group: 'a',
    rateLimit: { perSecond: 10, burst: 2 },
  })
  await rig.bus.publishMany(range(50).map((n) => Tick.of({ n })))
  await settle()
  expect(starts).toHaveLength(2)
  expect((await rig.transport.inspect('evt.rig.tick'))[0]!.lag).toBeGreaterThanOrEqual(47)
  await rig.clock.advance(1_000)
  expect(starts).toHaveLength(12)
  for (let index = 2; index < starts.length; index += 1)
    expect(starts[index]! - starts[index - 1]!).toBeGreaterThanOrEqual(99)
  expect(subscription.stats()).toMatchObject({ retried: 0, acknowledged: 12 })
  expect(subscription.health()).toMatchObject({ status: 'degraded', parts: [{ reason: 'rate limit reached' }] })
})

test('an open circuit stops the fetching, burns no attempt, and probes one message at a time', async () => {
  // promise 19
  await using rig = makeRig()
  let down = true
  let running = 0
  let most = 0
  const attempts = new Map<number, number>()
  const subscription = await rig.bus.subscribe(
    Tick,
    async ({ n }, { attempt }) => {
      attempts.set(n, attempt)
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
      if (down) throw new Error('downstream is away')
    },
    { group: 'a', concurrency: 1, circuit, retry: often },
  )
  await rig.bus.publishMany(range(40).map((n) => Tick.of({ n })))
  await rig.clock.advance(9_000)
  expect(subscription.stats().retried).toBe(3)
  expect(subscription.health()).toMatchObject({ status: 'degraded', parts: [{ reason: 'the circuit is open' }] })
  const lag = (await rig.transport.inspect('evt.rig.tick'))[0]!.lag!
  expect(lag).toBeGreaterThan(30)
  await rig.clock.advance(5_000)
  // One probe, which failed: open again.
  expect(subscription.stats().retried).toBe(4)
  await rig.clock.advance(4_000)
  expect(subscription.stats().retried).toBe(4)
  down = false
  for (let step = 0; step < 20; step += 1) await rig.clock.advance(1_000)
  expect(subscription.stats()).toMatchObject({ acknowledged: 40, deadLettered: 0 })
  expect(most).toBe(1)
  expect(subscription.health().status).toBe('healthy')
})

test('while a probe runs no second one starts and no timer spins', async () => {
  await using rig = makeRig()
  const ends: (() => void)[] = []
  let runs = 0
  await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
      if (runs <= 3) throw new Error('down')
      return new Promise<void>((resolve) => ends.push(resolve))
    },
    { group: 'a', concurrency: 4, circuit, retry: often },
  )
  await rig.bus.publishMany(range(10).map((n) => Tick.of({ n })))
  await rig.clock.advance(11_000)
  expect([runs, ends.length]).toEqual([4, 1])
  let timers = 0
  const { startTimer } = rig.clock
  rig.clock.startTimer = (run, delayMs) => {
    timers += 1
    return startTimer(run, delayMs)
  }
  await rig.clock.advance(5_000)
  expect([runs, ends.length]).toEqual([4, 1])
  expect(timers).toBeLessThan(200)
})

test.each([
  ['a reject', () => reject('not wanted')],
  ['an uncounted retry', () => retry('store is down', { afterMs: 60_000, counted: false })],
])('%s is control flow and opens no circuit', async (_what, end) => {
  // promise 19
  await using rig = makeRig()
  const subscription = await rig.bus.subscribe(Tick, () => end(), { group: 'a', circuit })
  await rig.bus.publishMany(range(20).map((n) => Tick.of({ n })))
  await settle()
  expect(subscription.stats().received).toBe(20)
  expect(subscription.health().status).toBe('healthy')
})

test('a handler that ends with acknowledge has succeeded, for the circuit as for middleware', async () => {
  const outcomes: string[] = []
  const ledger: Middleware = {
    name: 'ledger',
    async consume(_delivery, next) {
      const outcome = await next()
      outcomes.push(outcome.status)
      return outcome
    },
  }
  await using rig = makeRig({ bus: { use: [ledger] } })
  const handler = ({ n }: { readonly n: number }) => {
    if (n % 3 === 2) acknowledge()
    throw new Error('down')
  }
  const options = { group: 'a', concurrency: 1, circuit, retry: { attempts: 1 } }
  const subscription = await rig.bus.subscribe(Tick, handler, options)
  await rig.bus.publishMany(range(9).map((n) => Tick.of({ n })))
  await settle()
  expect(outcomes).toEqual(range(3).flatMap(() => ['reject', 'reject', 'ack']))
  expect(subscription.stats()).toMatchObject({ acknowledged: 3, deadLettered: 6 })
  expect(subscription.health().status).toBe('healthy')
})

test('subscriptions that share a circuit stop together, probe once between them and go on together', async () => {
  await using rig = makeRig()
  let down = true
  const runs: string[] = []
  const handler = (_numbered: unknown, { type }: { readonly type: string }) => {
    runs.push(type)
    if (down) throw new Error('down')
  }
  const options = { group: 'a', concurrency: 1, circuit: circuitBreaker(circuit, rig.clock), retry: often }
  const both = await rig.bus.subscribe(on(Tick, handler, options), on(Tock, handler, options))
  await rig.bus.publishMany(range(3).map((n) => Tick.of({ n })))
  await rig.clock.advance(1_000)
  await rig.bus.publish(Tock, { n: 1 })
  await rig.clock.advance(8_000)
  expect(runs).toEqual(range(3).map(() => 'rig.tick'))
  for (const each of both) expect(each.health().status).toBe('degraded')
  await rig.clock.advance(3_000)
  expect(runs).toHaveLength(4)
  down = false
  for (let step = 0; step < 20; step += 1) await rig.clock.advance(1_000)
  expect(both.map((each) => each.stats().acknowledged)).toEqual([3, 1])
  for (const each of both) expect(each.health().status).toBe('healthy')
})

test('messages that cannot be read open no circuit', async () => {
  await using rig = makeRig()
  const subscription = await rig.bus.subscribe(Tick, () => {}, { group: 'a', circuit })
  await rig.transport.publish(
    range(10).map((n) => ({
      id: String(n),
      topic: 'evt.rig.tick',
      key: undefined,
      headers: {},
      payload: new Uint8Array(),
    })),
  )
  await settle()
  expect(subscription.stats().deadLettered).toBe(10)
  expect(subscription.health().status).toBe('healthy')
})

test('the last failure of a message counts for the circuit as the others do', async () => {
  await using rig = makeRig()
  const subscription = await rig.bus.subscribe(
    Tick,
    () => {
      throw new Error('down')
    },
    { group: 'a', concurrency: 1, circuit, retry: { attempts: 1 } },
  )
  await rig.bus.publishMany(range(20).map((n) => Tick.of({ n })))
  await settle()
  expect(subscription.stats().deadLettered).toBe(3)
})

test('a probe whose lease is lost does not leave the circuit open for ever', async () => {
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      consume: async (spec, events) => ({
        ...(await memory.consume(spec, events)),
        extend: async (held) => (stale ? held : []),
      }),
    }),
  })
  let stale = false
  let runs = 0
  const ends: (() => void)[] = []
  const subscription = await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
      if (runs <= 3) throw new Error('down')
      if (runs === 4) return new Promise<void>((resolve) => ends.push(resolve))
    },
    { group: 'a', concurrency: 1, leaseMs: 3_000, circuit, retry: often },
  )
  await rig.bus.publishMany(range(10).map((n) => Tick.of({ n })))
  await rig.clock.advance(10_500)
  expect(runs).toBe(4)
  stale = true
  await rig.clock.advance(1_500)
  stale = false
  ends[0]!()
  for (let step = 0; step < 20; step += 1) await rig.clock.advance(1_000)
  expect(subscription.health().status).toBe('healthy')
  expect(subscription.stats().acknowledged).toBe(10)
})

test('both gates must agree', async () => {
  await using rig = makeRig()
  const subscription = await rig.bus.subscribe(Tick, () => {}, {
    group: 'a',
    circuit: true,
    rateLimit: { perSecond: 1 },
    retry: steady,
  })
  await rig.bus.publishMany(range(5).map((n) => Tick.of({ n })))
  await settle()
  expect(subscription.stats().acknowledged).toBe(1)
  await rig.clock.advance(2_000)
  expect(subscription.stats().acknowledged).toBe(3)
})

test('a batch is one failure for the circuit however many messages it has, and none where some of them succeeded', async () => {
  await using rig = makeRig()
  let runs = 0
  const [subscription] = await rig.bus.subscribe(
    onBatch(
      Tick,
      (ticks) => {
        runs += 1
        if (runs === 1) throw new Error('down')
        return ticks.map((_tick, index) =>
          index === 0 || runs > 3 ? { status: 'fulfilled', value: 1 } : { status: 'rejected', reason: 'not this one' },
        )
      },
      { group: 'a', circuit: { failures: 2 }, batch: { maxItems: 10, lingerMs: 10 }, retry: often },
    ),
  )
  await rig.bus.publishMany(range(10).map((n) => Tick.of({ n })))
  await rig.clock.advance(2_000)
  expect([runs, subscription!.health().status, subscription!.stats().acknowledged]).toEqual([4, 'healthy', 10])
})

test('a rate limit counts a batch as one start, however many messages it has', async () => {
  await using rig = makeRig()
  const sizes: number[] = []
  const handler = (ticks: readonly unknown[]) => void sizes.push(ticks.length)
  const options = { group: 'a', rateLimit: { perSecond: 1 }, batch: { maxItems: 10, lingerMs: 10 } }
  await rig.bus.subscribe(onBatch(Tick, handler, options))
  await rig.bus.publishMany(range(25).map((n) => Tick.of({ n })))
  await rig.clock.advance(900)
  expect(sizes).toEqual([10])
  await rig.clock.advance(2_000)
  expect(sizes).toEqual([10, 10, 5])
})
