import { reject, retry, retryDecision } from '../src/index.ts'
import { failureOf, Keyed, makeRig, range, steady, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'
import { watched } from './watched-transport.ts'

test('a handler that fails k times runs k+1 times, attempts 1 to k+1, with gaps of at least the back-off', async () => {
  // promise 1
  await using rig = makeRig()
  const runs: { attempt: number; atMs: number; last: boolean }[] = []
  const subscription = await rig.bus.subscribe(
    Tick,
    (_tick, { attempt, lastAttempt }) => {
      runs.push({ attempt, atMs: rig.clock.monotonicMs(), last: lastAttempt })
      if (attempt < 5) throw new Error('again')
    },
    { group: 'a', retry: { attempts: 5, backoff: { minMs: 100, factor: 3, maxMs: 800, jitter: false } } },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(10_000)
  expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5])
  expect(runs.map(({ last }) => last)).toEqual([false, false, false, false, true])
  expect(runs.map(({ atMs }) => atMs)).toEqual([0, 100, 400, 1_200, 2_000])
  expect(subscription.stats()).toMatchObject({ acknowledged: 1, retried: 4, deadLettered: 0 })
})

test('the log is told of every run that failed and will be retried, and of none whose message had not failed', async () => {
  const lines: object[] = []
  const info = (fields: object, message?: string) => void lines.push({ ...fields, message })
  await using rig = makeRig({ bus: { logger: { debug() {}, info, warn() {}, error() {} } } })
  const error = new Error('gateway is down')
  await rig.bus.subscribe(
    Tick,
    ({ n }, { attempt }) => {
      if (n === 2) retry('the store is away', { afterMs: 40_000, counted: false })
      if (attempt < 3) throw error
    },
    { group: 'a', retry: steady },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.bus.publish(Tick, { n: 2 })
  await rig.clock.advance(1_000)
  const message = 'run failed, will be retried'
  expect(lines).toEqual([
    { consumer: 'rig/a', attempt: 1, afterMs: 100, err: error, message },
    { consumer: 'rig/a', attempt: 2, afterMs: 200, err: error, message },
  ])
})

test('retries that wait at the transport keep their gaps and their attempts as well', async () => {
  await using rig = makeRig()
  const runs: [number, number][] = []
  await rig.bus.subscribe(
    Tick,
    (_tick, { attempt }) => {
      runs.push([attempt, rig.clock.monotonicMs()])
      throw new Error('again')
    },
    { group: 'a', holdMs: 0, retry: steady },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(10_000)
  expect(runs).toEqual([
    [1, 0],
    [2, 100],
    [3, 300],
  ])
})

test('one policy bounds the runs: the last failure dead-letters with the history of all of them', async () => {
  await using rig = makeRig()
  let runs = 0
  const subscription = await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
      throw Object.assign(new TypeError(`failure ${runs}`), { code: 'E_SOME' })
    },
    { group: 'a', retry: steady },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(60_000)
  expect(runs).toBe(3)
  expect(subscription.stats()).toMatchObject({ deadLettered: 1, acknowledged: 0 })
  expect(rig.transport.deadLetters()).toHaveLength(1)
  expect(rig.transport.deadLetters()[0]!.history).toMatchObject(
    [1, 2, 3].map((n) => ({ attempt: n, name: 'TypeError', message: `failure ${n}`, code: 'E_SOME' })),
  )
})

test('retry, reject and any other error are three different things', async () => {
  await using rig = makeRig()
  const runs: [number, number][] = []
  await rig.bus.subscribe(
    Tick,
    ({ n }, { attempt }) => {
      runs.push([n, rig.clock.monotonicMs()])
      if (attempt > 1) return
      if (n === 1) retry('busy', { afterMs: 5_000 })
      if (n === 2) reject('no')
      throw new Error('other')
    },
    { group: 'a', retry: steady },
  )
  await rig.bus.publishMany([1, 2, 3].map((n) => Tick.of({ n })))
  await rig.clock.advance(60_000)
  expect(runs).toEqual([
    [1, 0],
    [2, 0],
    [3, 0],
    [3, 100],
    [1, 5_000],
  ])
  expect(rig.transport.deadLetters().map(({ reason }) => reason)).toEqual(['no'])
})

test('a retry that is not counted burns no attempt, however often it happens', async () => {
  await using rig = makeRig()
  const attempts: number[] = []
  await rig.bus.subscribe(
    Tick,
    (_tick, { attempt }) => {
      attempts.push(attempt)
      if (attempts.length < 20) retry('the store is down', { afterMs: 10, counted: false })
    },
    { group: 'a', retry: steady },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(1_000)
  expect(attempts).toEqual(range(20).map(() => 1))
})

test('full jitter takes a uniform part of the gap, and a classifier decides by error', async () => {
  const policy = {
    attempts: 3,
    backoff: { minMs: 1_000 },
    classify: (error: unknown) =>
      error instanceof RangeError ? ('reject' as const) : error instanceof SyntaxError ? { afterMs: 7 } : undefined,
  }
  const half = retryDecision(policy, () => 0.5)
  expect(half.decide(new Error('x'), 2)).toMatchObject({ status: 'retry', afterMs: 1_000, counted: true })
  expect(half.decide(new RangeError('x'), 1)).toMatchObject({ status: 'reject' })
  expect(half.decide(new SyntaxError('x'), 1)).toMatchObject({ status: 'retry', afterMs: 7 })
  expect(half.decide(new Error('x'), 3)).toMatchObject({ status: 'reject', exhausted: true })
})

test.each([
  [{ attempts: 0 }, 'retry.attempts'],
  [{ attempts: '5' }, 'retry.attempts'],
  [{ backof: {} }, 'backof'],
  [{ backoff: { minMs: -1 } }, 'retry.backoff.minMs'],
  [{ backoff: { minMs: 10, maxMs: 5 } }, 'retry.backoff.maxMs'],
  [{ backoff: { factor: '2' } }, 'retry.backoff.factor'],
  [{ backoff: { jitter: 'yes' } }, 'retry.backoff.jitter'],
  [{ classify: 'reject' }, 'retry.classify'],
  ['often', 'retry'],
])('the retry policy %j is refused by name', async (policy, option) => {
  expect(await failureOf(() => retryDecision(policy as never))).toMatchObject({ details: { option } })
})

test.each([
  [
    'a delay that is no number of milliseconds',
    { afterMs: Number.NaN },
    'EVT_OPTION_INVALID',
    { option: 'retry.afterMs' },
  ],
  ['a misspelt option', { after: 5_000 }, 'EVT_OPTION_UNKNOWN', { option: 'after' }],
  ['what is neither true nor false', { counted: 'no' }, 'EVT_OPTION_INVALID', { option: 'retry.counted' }],
  ['options that are none', 5_000, 'EVT_OPTION_INVALID', { option: 'retry' }],
])('retry with %s is an error of the handler that names it, not a hot loop', async (_what, options, code, details) => {
  expect(await failureOf(() => retry('x', options as never))).toMatchObject({ code, details })
  await using rig = makeRig()
  let runs = 0
  await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
      retry('x', options as never)
    },
    { group: 'a', retry: steady },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(60_000)
  expect(runs).toBe(3)
  expect(rig.transport.deadLetters()[0]!.history[0]).toMatchObject({ code })
})

test('a failed settlement is reported once, shows in health, is tried again, and nothing is handled twice', async () => {
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  let down = true
  watch.beforeSettle = () => {
    if (down) throw new Error('the broker is away')
  }
  let runs = 0
  const subscription = await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
    },
    { group: 'a' },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(5_000)
  expect(rig.reports).toMatchObject([{ during: 'rig/a: settle', error: { message: 'the broker is away' } }])
  expect(subscription.health()).toMatchObject({ status: 'unhealthy', parts: [{ reason: 'the broker is away' }] })
  down = false
  await rig.clock.advance(10_000)
  expect([runs, watch.log]).toEqual([1, ['ack']])
  expect(subscription.health().status).toBe('healthy')
})

test('a failing read is reported once, waits longer each time, and reading goes on when it works again', async () => {
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  let reads = 0
  let down = true
  watch.beforeRead = () => {
    reads += 1
    if (down) throw new Error('no connection')
  }
  let runs = 0
  await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
    },
    { group: 'a' },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(60_000)
  expect(reads).toBeLessThan(20)
  expect(rig.reports).toHaveLength(1)
  down = false
  await rig.clock.advance(10_000)
  expect(runs).toBe(1)
})

test('what a handler returns is published before its message is acknowledged; while that is impossible no attempt is burnt', async () => {
  const watch = watched()
  let down = true
  await using rig = makeRig({
    wrap: (memory) => ({
      ...watch.wrap(memory),
      async publish(batch) {
        if (batch.some(({ topic }) => topic === 'evt.rig.keyed')) {
          if (down) throw new Error('away')
          watch.log.push('published')
        }
        return memory.publish(batch)
      },
    }),
  })
  const attempts: number[] = []
  await rig.bus.subscribe(
    Tick,
    (_tick, { attempt }) => {
      attempts.push(attempt)
      return Keyed.of({ n: 1 })
    },
    { group: 'a', retry: { attempts: 2, backoff: { minMs: 100, jitter: false } } },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(1_000)
  expect(attempts.length).toBeGreaterThan(5)
  expect(new Set(attempts)).toEqual(new Set([1]))
  down = false
  await rig.clock.advance(1_000)
  expect(watch.log).toEqual(['published', 'ack'])
})

test.each([
  ['is refused', [1]],
  ['is refused among others', [1, 2]],
])('a returned message that %s dead-letters its source instead of going round for ever', async (_how, numbers) => {
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      publish: async (batch) =>
        batch[0]!.topic === 'evt.rig.tick'
          ? memory.publish(batch)
          : [{ index: 0, outcome: 'refused' as const, error: new Error('too big for it') }],
    }),
  })
  await rig.bus.subscribe(Tick, () => numbers.map((n) => Keyed.of({ n })), { group: 'a', retry: steady })
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(1_000)
  expect(rig.transport.deadLetters()).toHaveLength(1)
  expect(rig.transport.deadLetters()[0]!.reason).toContain('too big for it')
})

test('a returned message that cannot be made is a failure like any other: tried so often, then dead-lettered', async () => {
  await using rig = makeRig()
  let runs = 0
  await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
      return Keyed.of({ n: 1, key: 5 as never })
    },
    { group: 'a', retry: steady },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(60_000)
  expect(runs).toBe(3)
  expect(rig.transport.deadLetters()[0]!.history[2]).toMatchObject({ code: 'EVT_OPTION_INVALID' })
  await settle()
})

test('messages that failed and wait for their next run count as fetched', async () => {
  // promise 14
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  const subscription = await rig.bus.subscribe(Tick, () => Promise.reject(new Error('no')), {
    group: 'a',
    concurrency: 2,
    prefetch: 10,
    holdMs: 600_000,
    retry: { backoff: { minMs: 60_000, jitter: false } },
  })
  await rig.bus.publishMany(range(100).map((n) => Tick.of({ n })))
  await rig.clock.advance(1_000)
  expect(subscription.stats().held).toBeGreaterThan(5)
  expect(watch.mostHeld).toBeLessThanOrEqual(10 + 2)
})

test('what keeps messages back though none of them fails is reported and shows in health once it lasts, until one gets through', async () => {
  await using rig = makeRig()
  const missing = new Error('the inbox has no table')
  let isMissing = true
  const subscription = await rig.bus.subscribe(
    Tick,
    () => {
      if (isMissing) retry(missing, { afterMs: 500, counted: false })
    },
    { group: 'a' },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(4_900)
  expect([rig.reports, subscription.health().status]).toEqual([[], 'healthy'])
  await rig.clock.advance(5_100)
  expect(rig.reports).toEqual([{ during: 'rig/a: held back', error: missing }])
  expect(subscription.health()).toMatchObject({ status: 'degraded', parts: [{ reason: 'the inbox has no table' }] })
  await rig.clock.advance(60_000)
  expect(rig.reports).toHaveLength(2)
  isMissing = false
  await rig.clock.advance(500)
  expect([subscription.health().status, subscription.stats().acknowledged]).toEqual(['healthy', 1])
})

test('what others get through is not held back', async () => {
  await using rig = makeRig()
  const isBusy = ({ n }: { n: number }) => n === 0
  const subscription = await rig.bus.subscribe(
    Tick,
    (tick) => {
      if (isBusy(tick)) retry(new Error('another delivery is being handled'), { afterMs: 500, counted: false })
    },
    { group: 'a' },
  )
  for (let n = 0; n < 20; n += 1) {
    await rig.bus.publish(Tick, { n })
    await rig.clock.advance(1_000)
  }
  expect([rig.reports, subscription.health().status]).toEqual([[], 'healthy'])
})
