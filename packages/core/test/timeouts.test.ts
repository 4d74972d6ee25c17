import { acknowledge, type Middleware, retry } from '../src/index.ts'
import { Keyed, makeRig, steady, Tick } from './rig.ts'

test('after the timeout the signal aborts and the outcome is a retry; slot and key stay held until the handler ends', async () => {
  // promises 15 and 16
  await using rig = makeRig()
  const ends: (() => void)[] = []
  const started: string[] = []
  const signals: AbortSignal[] = []
  const subscription = await rig.bus.subscribe(
    Keyed,
    ({ n }, { attempt, signal }) => {
      started.push(`${n}:${attempt}`)
      signals.push(signal)
      if (n === 1 && attempt === 1) return new Promise<void>((resolve) => ends.push(resolve))
    },
    { group: 'a', concurrency: 2, timeoutMs: 1_000, retry: steady },
  )
  await rig.bus.publishMany([Keyed.of({ n: 1 }), Keyed.of({ n: 2 })])
  await rig.clock.advance(999)
  expect(signals[0]!.aborted).toBe(false)
  await rig.clock.advance(30_000)
  expect(signals[0]!.reason).toMatchObject({
    code: 'EVT_HANDLER_TIMEOUT',
    details: { consumer: 'rig/a', timeoutMs: 1_000 },
  })
  expect(started).toEqual(['1:1'])
  expect(subscription.stats()).toMatchObject({ inFlight: 1, timedOut: 1 })
  expect(subscription.health()).toMatchObject({
    status: 'degraded',
    parts: [{ name: 'rig/a', reason: expect.stringContaining('past their timeout') }],
  })
  ends[0]!()
  await rig.clock.advance(1_000)
  expect(started).toEqual(['1:1', '1:2', '2:1'])
  expect(subscription.health().status).toBe('healthy')
})

test('middleware is told the outcome that happens: a handler that ends after its timeout has not succeeded', async () => {
  await using rig = makeRig()
  let end: () => void = () => {}
  const outcomes: string[] = []
  await rig.bus.subscribe(
    Tick,
    (_tick, { attempt }) =>
      attempt === 1
        ? new Promise<void>((resolve) => {
            end = resolve
          })
        : undefined,
    {
      group: 'a',
      timeoutMs: 100,
      retry: steady,
      use: [
        {
          name: 'ledger',
          async consume(_delivery, next) {
            const outcome = await next()
            outcomes.push(outcome.status)
            return outcome
          },
        },
      ],
    },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(500)
  end()
  await rig.clock.advance(1_000)
  expect(outcomes).toEqual(['retry', 'ack'])
})

test('what ends after its timeout and was not its fault burns no attempt, and what is durable counts', async () => {
  await using rig = makeRig()
  const attempts: number[] = []
  const subscription = await rig.bus.subscribe(
    Tick,
    async (_tick, { attempt, signal, abortReason }) => {
      attempts.push(attempt)
      expect(abortReason).toBeUndefined()
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      if (attempts.length < 4) retry('the store is slow', { afterMs: 100, counted: false })
      acknowledge()
    },
    { group: 'a', timeoutMs: 100, retry: { attempts: 1 } },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(2_000)
  expect(attempts).toEqual([1, 1, 1, 1])
  expect(subscription.stats()).toMatchObject({ timedOut: 4, acknowledged: 1, deadLettered: 0 })
})

test('an outcome decided in time stands, however long the middleware around it takes', async () => {
  await using rig = makeRig()
  let runs = 0
  const slow: Middleware = {
    name: 'slow',
    async consume(_delivery, next) {
      const outcome = await next()
      await new Promise<void>((resolve) => rig.clock.startTimer(resolve, 500))
      return outcome
    },
  }
  const handler = () => {
    runs += 1
  }
  const options = { group: 'a', timeoutMs: 100, retry: { attempts: 1 }, use: [slow] }
  const subscription = await rig.bus.subscribe(Tick, handler, options)
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(10_000)
  expect(runs).toBe(1)
  expect(subscription.stats()).toMatchObject({ timedOut: 1, acknowledged: 1, deadLettered: 0 })
})

test('a handler that hangs on its last attempt is dead-lettered for its timeout once it ends', async () => {
  await using rig = makeRig()
  await rig.bus.subscribe(
    Tick,
    (_tick, { signal }) =>
      new Promise<void>((_resolve, fail) => signal.addEventListener('abort', () => fail(new Error('aborted')))),
    { group: 'a', timeoutMs: 100, retry: { attempts: 1 } },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(200)
  expect(rig.transport.deadLetters()[0]!.history).toMatchObject([{ code: 'EVT_HANDLER_TIMEOUT' }])
})
