import { createBus, memoryTransport } from '../src/index.ts'
import { door, failureOf, Keyed, makeRig, range, steady, Tick, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'
import { watched } from './watched-transport.ts'

const rejections: unknown[] = []
const remember = (reason: unknown) => void rejections.push(reason)
beforeAll(() => void process.on('unhandledRejection', remember))
afterAll(async () => {
  await settle()
  process.off('unhandledRejection', remember)
  expect(rejections).toEqual([])
})

/** Intervals that go on: what holds the process is one. */
const held = new Set<unknown>()
beforeEach(() => {
  const { setInterval: start, clearInterval: end } = globalThis
  held.clear()
  jest.spyOn(globalThis, 'setInterval').mockImplementation((...given) => {
    const interval = start(...given)
    held.add(interval)
    return interval
  })
  jest.spyOn(globalThis, 'clearInterval').mockImplementation((interval) => {
    held.delete(interval)
    end(interval)
  })
})
afterEach(() => jest.restoreAllMocks())

test('close during load: no handler starts afterwards, running ones finish, the rest goes to the next without loss', async () => {
  // promise 13
  await using rig = makeRig()
  const done = new Map<number, number>()
  let closed = false
  let late = 0
  const handler = async ({ n }: { readonly n: number }) => {
    if (closed) late += 1
    await new Promise((resolve) => setImmediate(resolve))
    done.set(n, (done.get(n) ?? 0) + 1)
  }
  const first = await rig.bus.subscribe(Keyed, handler, { group: 'a', concurrency: 4 })
  const publishing = Promise.all(range(500).map((n) => rig.bus.publish(Keyed, { n, key: `k${n % 7}` })))
  await settle()
  await first.close()
  closed = true
  expect(first.state).toBe('closed')
  await publishing
  await settle()
  expect(late).toBe(0)
  expect(done.size).toBeLessThan(500)
  closed = false
  await rig.bus.subscribe(Keyed, handler, { group: 'a' })
  while (done.size < 500) await settle()
  await settle()
  expect([...done.values()].every((times) => times === 1)).toBe(true)
})

test('a handler that runs past the deadline is aborted, and its message is given back without raising the attempt', async () => {
  // promises 13 and 19
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  const outcomes: unknown[] = []
  const subscription = await rig.bus.subscribe(
    Tick,
    (_tick, { signal }) =>
      new Promise<void>((_resolve, fail) => signal.addEventListener('abort', () => fail(signal.reason))),
    {
      group: 'a',
      concurrency: 1,
      retry: { attempts: 1 },
      use: [
        {
          name: 'ledger',
          async consume(_delivery, next) {
            const outcome = await next()
            outcomes.push(outcome)
            return outcome
          },
        },
      ],
    },
  )
  await rig.bus.publishMany(range(3).map((n) => Tick.of({ n })))
  await settle()
  const closing = subscription.close({ deadlineMs: 1_000 })
  await settle()
  expect(watch.log).toEqual(['release', 'release'])
  await rig.clock.advance(999)
  expect(outcomes).toEqual([])
  await rig.clock.advance(1)
  await closing
  expect(watch.log).toEqual(['release', 'release', 'release'])
  // Middleware is told that nothing failed.
  expect(outcomes).toMatchObject([{ status: 'retry', counted: false, error: { code: 'EVT_SHUTDOWN' } }])
  expect(rig.transport.deadLetters()).toEqual([])
  const attempts: number[] = []
  await rig.bus.subscribe(Tick, (_tick, delivery) => void attempts.push(delivery.attempt), { group: 'a' })
  await settle()
  expect(attempts).toEqual([1, 1, 1])
})

test('a handler that ignores its abort does not keep close waiting, which is reported, and what it does later settles nothing', async () => {
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  const end = door()
  const subscription = await rig.bus.subscribe(Tick, () => end.opened, { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  const closing = subscription.close({ deadlineMs: 500 })
  await rig.clock.advance(5_000)
  await closing
  const reported = { message: expect.stringContaining('1 handlers go on although their signal was aborted') }
  expect(rig.reports).toMatchObject([{ during: 'rig/a: close', error: reported }])
  end.open()
  await settle()
  expect(watch.log).toEqual([])
})

test('retries that wait are not lost by close: unordered ones keep their delay, ordered ones go back in their place', async () => {
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  const attempts: [string, number][] = []
  const fail = (_numbered: unknown, delivery: { readonly type: string; readonly attempt: number }) => {
    attempts.push([delivery.type, delivery.attempt])
    if (delivery.attempt === 1) throw new Error('again')
  }
  const options = { group: 'a', retry: { attempts: 3, backoff: { minMs: 800, jitter: false } } } as const
  const held = [await rig.bus.subscribe(Tick, fail, options), await rig.bus.subscribe(Keyed, fail, options)]
  await rig.bus.publish(Tick, { n: 1 })
  await rig.bus.publish(Keyed, { n: 1 })
  await rig.clock.advance(300)
  await Promise.all(held.map((subscription) => subscription.close()))
  expect(watch.log.sort()).toEqual(['release', 'retry'])
  await rig.bus.subscribe(Tick, fail, options)
  await rig.bus.subscribe(Keyed, fail, options)
  await rig.clock.advance(499)
  expect(attempts.slice(2)).toEqual([['rig.keyed', 2]])
  await rig.clock.advance(1)
  expect(attempts.slice(3)).toEqual([['rig.tick', 2]])
})

test('closing the bus is idempotent, closes every subscription and refuses what comes later by name', async () => {
  await using rig = makeRig()
  const subscription = await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  const once = rig.bus.close()
  expect(rig.bus.close()).toBe(once)
  await once
  expect(subscription.state).toBe('closed')
  expect((await failureOf(() => rig.bus.publish(Tick, { n: 1 }))).code).toBe('EVT_BUS_CLOSED')
  expect((await failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a' }))).code).toBe('EVT_BUS_CLOSED')
  expect((await rig.bus.health()).status).toBe('unhealthy')
})

test('a bus that was closed cannot be started or run, and opens nothing any more', async () => {
  const opened: string[] = []
  const bus = createBus({
    service: 's',
    transport: { ...memoryTransport(), open: async () => void opened.push('transport') },
    use: [{ name: 'm', start: async () => void opened.push('middleware') }],
  })
  await bus.close()
  expect((await failureOf(() => bus.start())).code).toBe('EVT_BUS_CLOSED')
  expect((await failureOf(() => bus.run())).code).toBe('EVT_BUS_CLOSED')
  expect(opened).toEqual([])
})

test('a transport that cannot close is what close rejects with, after everything else has closed', async () => {
  const stopped: string[] = []
  const close = () => Promise.reject(new Error('the connection is stuck'))
  const rig = makeRig({
    wrap: (memory) => ({ ...memory, close }),
    bus: { use: [{ name: 'm', stop: async () => void stopped.push('middleware') }] },
  })
  const subscription = await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  await expect(rig.bus.close()).rejects.toThrow('the connection is stuck')
  expect([subscription.state, stopped]).toEqual(['closed', ['middleware']])
  expect((await failureOf(() => rig.bus.publish(Tick, { n: 1 }))).code).toBe('EVT_BUS_CLOSED')
})

test('a transport that never opens does not keep close waiting past its deadline, and is closed if it opens after all', async () => {
  const opening = door()
  let closes = 0
  await using rig = makeRig({
    wrap: (transport) => ({
      ...transport,
      open: () => opening.opened,
      async close() {
        closes += 1
      },
    }),
  })
  const subscribing = failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a' }))
  const starting = rig.bus.start()
  const closing = rig.bus.close({ deadlineMs: 1_000 })
  await rig.clock.advance(10_000)
  await closing
  expect(closes).toBe(0)
  opening.open()
  await starting
  expect((await subscribing).code).toBe('EVT_BUS_CLOSED')
  expect(closes).toBe(1)
})

test('a publish that waits for a retry of its handler holds the process, which has nothing else to live for', async () => {
  await using rig = makeRig({ memory: { confirm: 'settled' } })
  let runs = 0
  const failOnce = () => {
    runs += 1
    if (runs === 1) throw new Error('not yet')
  }
  await rig.bus.subscribe(Tick, failOnce, { group: 'a', retry: steady })
  const publishing = rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(held.size).toBe(1)
  await rig.clock.advance(10_000)
  await publishing
  expect([runs, held.size]).toEqual([2, 0])
})

test('a close that waits for a handler holds the process, which has nothing else to live for', async () => {
  await using rig = makeRig()
  const work = door()
  await rig.bus.subscribe(Tick, () => work.opened, { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  const closing = rig.bus.close()
  await settle()
  expect(held.size).toBe(1)
  work.open()
  await closing
  expect(held.size).toBe(0)
})

test('a subscribe that the bus closes over is refused and leaves nobody reading', async () => {
  const joined = door()
  let open = 0
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      async consume(spec, events) {
        await joined.opened
        const consumer = await memory.consume(spec, events)
        open += 1
        const close = () => {
          open -= 1
          return consumer.close()
        }
        return { ...consumer, close }
      },
    }),
  })
  const subscribing = failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a' }))
  await settle()
  await rig.bus.close()
  joined.open()
  expect((await subscribing).code).toBe('EVT_BUS_CLOSED')
  await settle()
  expect([open, rig.bus.describe().subscriptions]).toEqual([0, []])
})

test('a subscribe that the closing transport refuses is told that the bus has closed', async () => {
  const closed = door()
  const refusal = new Error('the connection has ended')
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      async declare() {
        await closed.opened
        throw refusal
      },
      close: async () => closed.open(),
    }),
  })
  const subscribing = failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a' }))
  await settle()
  await rig.bus.close()
  expect(await subscribing).toMatchObject({ code: 'EVT_BUS_CLOSED', cause: refusal })
})

test('what waits for middleware to start opens no transport once the bus has closed', async () => {
  const started = door()
  let opens = 0
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      async open() {
        opens += 1
      },
    }),
    bus: { use: [{ name: 'slow', start: () => started.opened }] },
  })
  const subscribing = failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a' }))
  const publishing = failureOf(() => rig.bus.publish(Tick, { n: 1 }))
  await rig.bus.close()
  started.open()
  expect((await subscribing).code).toBe('EVT_BUS_CLOSED')
  await publishing
  expect(opens).toBe(0)
})

test('a publish that waits for room ends when the bus closes, with a typed error', async () => {
  await using rig = makeRig({ memory: { maxMessages: 1 } })
  await rig.bus.subscribe(Tick, () => new Promise(() => {}), { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  const waiting = failureOf(() => rig.bus.publish(Tick, { n: 2 }))
  const closing = rig.bus.close({ deadlineMs: 100 })
  await rig.clock.advance(10_000)
  await closing
  expect((await waiting).code).toMatch(/^EVT_PUBLISH_(UNKNOWN|UNAVAILABLE)$/)
})

test('one subscription can be paused, resumed, looked at and closed without touching the others', async () => {
  await using rig = makeRig()
  const seen = { a: 0, b: 0 }
  const [a, b] = [
    await rig.bus.subscribe(
      Tick,
      () => {
        seen.a += 1
      },
      { group: 'a' },
    ),
    await rig.bus.subscribe(
      Tick,
      () => {
        seen.b += 1
      },
      { group: 'b' },
    ),
  ]
  a.pause()
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect([seen, a.state, a.health().status]).toEqual([{ a: 0, b: 1 }, 'paused', 'degraded'])
  a.resume()
  await settle()
  expect([seen, a.state]).toEqual([{ a: 1, b: 1 }, 'running'])
  await a.close()
  await rig.bus.publish(Tick, { n: 2 })
  await settle()
  expect([seen, b.stats().acknowledged]).toEqual([{ a: 1, b: 2 }, 2])
})

test('a subscription that was closed mid-handler harms neither its process nor its bus', async () => {
  await using rig = makeRig()
  const end = door()
  const seen: number[] = []
  const handler = async ({ n }: { readonly n: number }) => {
    if (n === 1) await end.opened
    seen.push(n)
  }
  const first = await rig.bus.subscribe(Tick, handler, { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  const closing = first.close()
  await rig.bus.subscribe(Tick, handler, { group: 'a' })
  await rig.bus.publish(Tick, { n: 2 })
  await settle()
  expect(seen).toEqual([2])
  end.open()
  await closing
  expect(seen).toEqual([2, 1])
})

test('run serves until the bus is closed and leaves no signal listener behind', async () => {
  const listeners = () => process.listenerCount('SIGINT') + process.listenerCount('SIGTERM')
  const before = listeners()
  for (const round of range(5)) {
    const bus = createBus({ service: `run-${round}`, transport: memoryTransport() })
    const running = bus.run()
    await settle()
    expect(listeners()).toBe(before + 2)
    await bus.close()
    await running
  }
  expect(listeners()).toBe(before)
})

test('run refuses signals that do not exist and subscriptions that are no list, before it starts anything', async () => {
  await using rig = makeRig()
  const given = [{ signals: 'SIGTERM' }, { signals: ['SIGTREM'] }, { subscriptions: {} }]
  for (const options of given)
    expect(await failureOf(() => rig.bus.run(options as never))).toMatchObject({
      code: 'EVT_OPTION_INVALID',
      details: { option: Object.keys(options)[0] },
    })
})

test('run drains on its signal', async () => {
  const rig = makeRig()
  const end = door()
  let finished = false
  await rig.bus.subscribe(
    Tick,
    async () => {
      await end.opened
      finished = true
    },
    { group: 'a' },
  )
  await rig.bus.publish(Tick, { n: 1 })
  const running = rig.bus.run({ signals: ['SIGUSR2'] })
  await settle()
  process.emit('SIGUSR2')
  await settle()
  end.open()
  await running
  expect(finished).toBe(true)
})

test('200 subscriptions opened and closed leave no timer, no listener and no group behind', async () => {
  // F37
  await using rig = makeRig()
  const round = async (mode: { readonly group: string } | { readonly mode: 'broadcast' }) => {
    const subscription = await rig.bus.subscribe(Tick, () => {}, { ...mode, retry: steady })
    await rig.bus.publish(Tick, { n: 1 })
    await settle()
    await subscription.close()
  }
  await round({ group: 'a' })
  await rig.clock.advance(60_000)
  const before = rig.clock.armed
  for (const n of range(200)) await round(n % 2 === 0 ? { group: 'a' } : { mode: 'broadcast' })
  await rig.clock.advance(60_000)
  expect(rig.clock.armed).toBe(before)
  expect(await rig.transport.inspect('evt.rig.tick')).toHaveLength(1)
  expect(rig.bus.describe().subscriptions).toEqual([])
})

test('two buses of one service in one process know nothing of each other', async () => {
  const seen: string[] = []
  await using one = makeRig()
  await using two = makeRig()
  await one.bus.subscribe(Tock, () => void seen.push('one'), { group: 'a' })
  await two.bus.subscribe(Tock, () => void seen.push('two'), { group: 'a' })
  await one.bus.publish(Tock, { n: 1 })
  await settle()
  expect(seen).toEqual(['one'])
})

test('a bus that was started and closed says so to whoever starts or runs it again', async () => {
  const rig = makeRig()
  await rig.bus.start()
  await rig.bus.close()
  for (const again of [() => rig.bus.start(), () => rig.bus.run()])
    expect(await failureOf(again)).toMatchObject({ code: 'EVT_BUS_CLOSED' })
})
