import { isEvtError, on, onBatch, retry } from '@evt/core'
import { createTestBus } from '../src/index.ts'
import { failed, Keyed, Tick, Tock } from './numbered-events.ts'

const steady = { attempts: 3, backoff: { minMs: 60_000, maxMs: 60_000, jitter: false } } as const

test('settled follows what handlers return, however long the chain is', async () => {
  const count = on(Tick, ({ n }) => (n === 0 ? Tock.of({ n }) : Tick.of({ n: n - 1 })), { group: 'count' })
  await using bus = createTestBus({ subscriptions: [count] })
  await bus.publish(Tick, { n: 20 })
  await bus.settled()
  expect(bus.published(Tick).map(({ n }) => n)).toEqual(Array.from({ length: 21 }, (_value, index) => 20 - index))
  expect(bus.published(Tock)).toEqual([{ n: 0 }])
  expect(bus.clock.monotonicMs()).toBe(0)
})

test('settled moves the clock through every retry, held in the process or delayed by the transport', async () => {
  const runs: [string, number, number][] = []
  await using bus = createTestBus()
  for (const [group, holdMs] of [
    ['held', 100_000],
    ['delayed', 0],
  ] as const) {
    await bus.subscribe(
      Tick,
      (_tick, delivery) => {
        runs.push([group, delivery.attempt, bus.clock.monotonicMs()])
        if (delivery.attempt < 3) throw new Error('again')
      },
      { group, holdMs, retry: steady },
    )
  }
  await bus.publish(Tick, { n: 1 })
  await bus.settled()
  for (const group of ['held', 'delayed']) {
    expect(runs.filter(([name]) => name === group)).toEqual([
      [group, 1, 0],
      [group, 2, 60_000],
      [group, 3, 120_000],
    ])
  }
})

test('settled leaves alone the retries that lie beyond withinMs, with those of their key that wait behind them', async () => {
  const runs: number[] = []
  await using bus = createTestBus()
  for (const event of [Tick, Keyed]) {
    await bus.subscribe(
      event,
      ({ n }) => {
        runs.push(n)
        throw new Error('again')
      },
      { group: 'a', retry: steady },
    )
  }
  await bus.publishMany([Tick.of({ n: 1 }), Keyed.of({ n: 2 }), Keyed.of({ n: 3 })])
  await bus.settled({ withinMs: 59_999 })
  expect(runs.sort()).toEqual([1, 2])
  expect(bus.clock.monotonicMs()).toBeLessThan(60_000)
  await bus.settled({ withinMs: 60_000 })
  expect(runs.length).toBe(4)
  await bus.settled()
  expect(bus.rejected(Keyed)).toMatchObject([{ payload: { n: 2 }, attempts: 3 }, { payload: { n: 3 } }])
})

test('settled waits for a batch to linger and hands it over as a whole', async () => {
  const sizes: number[] = []
  const collect = onBatch(Tick, (ticks) => void sizes.push(ticks.length), { group: 'a', batch: { lingerMs: 5_000 } })
  await using bus = createTestBus({ subscriptions: [collect] })
  for (const n of [1, 2, 3]) await bus.publish(Tick, { n })
  await bus.settled({ withinMs: 4_999 })
  expect(sizes).toEqual([])
  await bus.settled()
  expect(sizes).toEqual([3])
})

test('every broadcast subscription gets every message, every group gets it once', async () => {
  const seen: string[] = []
  const note = (name: string) => () => void seen.push(name)
  await using bus = createTestBus({
    subscriptions: [
      on(Tick, note('one'), { mode: 'broadcast', name: 'one' }),
      on(Tick, note('two'), { mode: 'broadcast', name: 'two' }),
      on(Tick, note('group'), { group: 'g' }),
    ],
  })
  await bus.publish(Tick, { n: 1 })
  await bus.settled()
  expect(seen.sort()).toEqual(['group', 'one', 'two'])
})

test('settled waits for a handler that does real work, and time stands still meanwhile', async () => {
  const { readFile } = await import('node:fs/promises')
  let read = 0
  let timedOut = false
  await using bus = createTestBus()
  await bus.subscribe(
    Tick,
    async (_tick, delivery) => {
      for (let round = 0; round < 20; round += 1) read += (await readFile(__filename)).byteLength
      timedOut = delivery.signal.aborted
    },
    { group: 'a' },
  )
  await bus.publish(Tick, { n: 1 })
  await bus.settled()
  expect([read > 0, timedOut, bus.clock.monotonicMs()]).toEqual([true, false, 0])
})

test('settled moves the clock for a handler that waits for it', async () => {
  await using bus = createTestBus()
  const sleep = (ms: number) => new Promise<void>((resolve) => bus.clock.startTimer(resolve, ms))
  await bus.subscribe(
    Tick,
    async ({ n }) => {
      await sleep(5_000)
      return Tock.of({ n })
    },
    { group: 'a' },
  )
  await bus.publish(Tick, { n: 7 })
  await bus.settled()
  expect([bus.published(Tock), bus.clock.monotonicMs()]).toEqual([[{ n: 7 }], 5_000])
})

test('a hung handler makes settled reject with the consumer and the message, and the bus can still be closed', async () => {
  const bus = createTestBus({ deadlineMs: 150 })
  await bus.subscribe(Tick, () => new Promise(() => {}), { group: 'stuck' })
  await bus.publish(Tick, { n: 1 }, { id: 'message-1' })
  const error = await failed(bus.settled())
  expect(error).toMatchObject({
    code: 'EVT_TESTING_STUCK',
    message: 'Not settled after 150 ms: test/stuck is still running "tick" message-1, attempt 1',
  })
  await bus.close()
})

test('a paused subscription makes settled reject, saying that it is paused', async () => {
  await using bus = createTestBus()
  const subscription = await bus.subscribe(Tick, () => {}, { group: 'a' })
  subscription.pause()
  await bus.publishMany([Tick.of({ n: 1 }), Tick.of({ n: 2 })])
  for (const withinMs of [undefined, 5_000]) {
    const error = await failed(bus.settled({ withinMs, deadlineMs: 100 }))
    expect((error as Error).message).toMatch(/test\/a has messages left: .*it is paused/)
  }
  subscription.resume()
  await bus.settled()
  expect(subscription.stats().acknowledged).toBe(2)
})

test('a batch whose subscription was paused while it lingered is not taken for settled', async () => {
  await using bus = createTestBus()
  const [subscription] = await bus.subscribe(onBatch(Tick, () => {}, { group: 'a', batch: { lingerMs: 5_000 } }))
  await bus.publish(Tick, { n: 1 })
  await bus.settled({ withinMs: 0 })
  subscription!.pause()
  const error = await failed(bus.settled({ withinMs: 10_000, deadlineMs: 100 }))
  expect((error as Error).message).toMatch(/test\/a has messages left: 1 waiting to start \(it is paused\)/)
})

test('settled waits until an open circuit lets the messages through', async () => {
  let healthy = false
  await using bus = createTestBus()
  const subscription = await bus.subscribe(
    Tick,
    () => {
      if (!healthy) throw new Error('down')
    },
    {
      group: 'a',
      circuit: { failures: 2, successes: 1, openMs: 30_000 },
      concurrency: 1,
      retry: { backoff: { minMs: 1, maxMs: 1 } },
    },
  )
  await bus.publishMany([Tick.of({ n: 1 }), Tick.of({ n: 2 })])
  await bus.settled({ withinMs: 100, deadlineMs: 100 }).catch(() => undefined)
  expect(bus.clock.monotonicMs()).toBeLessThan(30_000)
  healthy = true
  await bus.settled()
  expect(subscription.stats().acknowledged).toBe(2)
  expect(bus.clock.monotonicMs()).toBeGreaterThanOrEqual(30_000)
})

test('a message retried for ever makes settled give up at its real deadline', async () => {
  await using bus = createTestBus()
  await bus.subscribe(Tick, () => retry('store is down', { afterMs: 1_000, counted: false }), { group: 'a' })
  await bus.publish(Tick, { n: 1 })
  const error = await failed(bus.settled({ deadlineMs: 100 }))
  expect(isEvtError(error, 'EVT_TESTING_STUCK')).toBe(true)
})

test('a handler that makes something else of its time-out is retried and, in the end, dead-lettered with that error', async () => {
  await using bus = createTestBus()
  const abortions: unknown[] = []
  await bus.subscribe(
    Tick,
    (_tick, { signal }) =>
      new Promise<void>((resolve, reject) =>
        signal.addEventListener('abort', () => {
          abortions.push(signal.reason)
          if (abortions.length === 1) resolve()
          else reject(new Error('the gateway went away'))
        }),
      ),
    { group: 'a', timeoutMs: 10_000, retry: { attempts: 2, backoff: { minMs: 0 } } },
  )
  await bus.publish(Tick, { n: 1 })
  await bus.clock.advance(60_000)
  await bus.settled()
  expect(abortions.length).toBe(2)
  expect(bus.rejected(Tick)).toMatchObject([{ error: { code: 'EVT_HANDLER_TIMEOUT' }, attempts: 2 }])
})
