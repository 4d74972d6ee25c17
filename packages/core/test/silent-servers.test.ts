import { type Consumer, type ConsumerEvents, type Delivery, isEvtError, type Transport } from '../src/index.ts'
import { deadLetterStore, door, makeRig, type Numbered, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

/** Puts something in place of verbs of every consumer. */
const withConsumers =
  (around: (consumer: Consumer) => Partial<Consumer>) =>
  (transport: Transport): Transport => ({
    ...transport,
    async consume(spec, events) {
      const consumer = await transport.consume(spec, events)
      return { ...consumer, ...around(consumer) }
    },
  })
const never = () => new Promise<never>(() => {})

test('a renewal of leases that is never answered is reported and not the last', async () => {
  // promise 15
  let asked = 0
  const wrap = withConsumers((consumer) => ({
    extend(held) {
      asked += 1
      return asked === 1 ? never() : consumer.extend(held)
    },
  }))
  await using rig = makeRig({ wrap })
  const steps: string[] = []
  await rig.bus.subscribe(
    Tick,
    async (_tick, { signal }) => {
      steps.push('begins')
      await new Promise<void>((resolve) => rig.clock.startTimer(resolve, 100_000))
      steps.push(signal.aborted ? 'aborted' : 'ends')
    },
    { group: 'a', leaseMs: 30_000, timeoutMs: 200_000 },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(120_000)
  expect(steps).toEqual(['begins', 'ends'])
  expect(rig.reports.map(({ during }) => during)).toEqual(['rig/a: extend'])
})

test('what still waits when its lease has certainly ended, because it cannot be renewed, is not begun here', async () => {
  // promise 15
  let cutOff = true
  const wrap = withConsumers((consumer) => ({
    extend: (held) => (cutOff ? Promise.reject(new Error('cut off')) : consumer.extend(held)),
  }))
  await using rig = makeRig({ wrap })
  const begun: string[] = []
  const handler = async ({ n }: Numbered) => {
    begun.push(`${n} at ${rig.clock.monotonicMs()}`)
    await new Promise<void>((resolve) => rig.clock.startTimer(resolve, 100_000))
  }
  const options = { group: 'a', concurrency: 1, leaseMs: 30_000, timeoutMs: 500_000 }
  const subscription = await rig.bus.subscribe(Tick, handler, options)
  await rig.bus.publishMany([1, 2].map((n) => Tick.of({ n })))
  await rig.clock.advance(1_000)
  const other = await rig.transport.consume(
    {
      topic: 'evt.rig.tick',
      consumer: 'rig/a',
      as: { group: 'rig/a' },
      from: 'earliest',
      ordered: 'none',
      leaseMs: 600_000,
    },
    { revoking: async () => undefined, lost() {}, cut() {}, recreated() {} },
  )
  const taken = await Promise.all([
    other.read({ messages: 9, bytes: 9_999 }, AbortSignal.timeout(10_000)),
    rig.clock.advance(60_000),
  ])
  expect(taken[0].length).toBeGreaterThan(0)
  await rig.clock.advance(60_000)
  cutOff = false
  expect(begun).toEqual(['1 at 0'])
  expect(subscription.stats()).toMatchObject({ waiting: 0, lost: 2 })
})

test.each([
  {
    what: 'ends well, and is acknowledged where nobody else had the message',
    fails: false,
    acknowledged: 1,
    released: 0,
  },
  { what: 'fails, and is given back with no attempt used', fails: true, acknowledged: 0, released: 1 },
])(
  'a handler whose lease has certainly ended is told by its signal; it $what',
  async ({ fails, acknowledged, released }) => {
    const wrap = withConsumers(() => ({
      extend: () => Promise.reject(new Error('cut off')),
      // A server that nobody reached did not give the message to anybody.
      settle: async () => [],
    }))
    await using rig = makeRig({ wrap })
    const told: unknown[] = []
    const handler = async (_tick: Numbered, { signal }: Delivery) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      told.push([rig.clock.monotonicMs(), signal.reason.code])
      if (fails) throw signal.reason
    }
    const subscription = await rig.bus.subscribe(Tick, handler, { group: 'a', leaseMs: 30_000, timeoutMs: 500_000 })
    await rig.bus.publish(Tick, { n: 1 })
    await rig.clock.advance(45_000)
    expect(told).toEqual([[40_000, 'EVT_LEASE_LOST']])
    expect(subscription.stats()).toMatchObject({ acknowledged, released, lost: 0, retried: 0 })
  },
)

test('a settlement that is not answered makes the health tell, until it is', async () => {
  let answer: () => void = () => {}
  const wrap = withConsumers((consumer) => ({
    async settle(batch) {
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      return consumer.settle(batch)
    },
  }))
  await using rig = makeRig({ wrap })
  const subscription = await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(5_000)
  expect(subscription.health().status).toBe('healthy')
  await rig.clock.advance(20_000)
  expect(subscription.health()).toMatchObject({
    status: 'unhealthy',
    parts: [{ reason: expect.stringContaining('has not been answered for 25 s') }],
  })
  answer()
  await settle()
  expect(subscription.health().status).toBe('healthy')
})

test.each<[string, (transport: Transport) => Transport]>([
  ['opens', (transport) => ({ ...transport, open: never })],
  ['trims', (transport) => ({ ...transport, trim: never })],
  ['lets go of its consumers', withConsumers(() => ({ close: never }))],
  ['closes', (transport) => ({ ...transport, close: never })],
])('a bus whose transport never %s closes all the same, and says what it left behind', async (_what, silence) => {
  const wrap = (transport: Transport) =>
    silence({ ...transport, supports: { ...transport.supports, retention: 'acknowledged' } })
  await using rig = makeRig({ wrap })
  const subscribing = rig.bus.subscribe(Tick, () => {}, { group: 'a' }).catch(() => undefined)
  // A trim is under way by then.
  await rig.clock.advance(6_000)
  const closing = rig.bus.close({ deadlineMs: 1_000 })
  await rig.clock.advance(30_000)
  await closing
  await Promise.race([subscribing, settle()])
  expect(rig.reports.some(({ during }) => during.endsWith('close'))).toBe(true)
})

test('a publish that begins while its bus gives up on a silent transport ends too', async () => {
  const stopping = door()
  const outbox = {
    name: 'test',
    scope: undefined,
    ambient: () => undefined,
    append: async () => {},
    store: async () => {},
    start: async () => {},
    async stop() {
      stopping.open()
      await never()
    },
    health: async () => ({ name: 'test', status: 'healthy' as const }),
  }
  await using rig = makeRig({ wrap: (transport) => ({ ...transport, publish: never }), bus: { outbox } })
  await rig.bus.start()
  const closing = rig.bus.close({ deadlineMs: 1_000 })
  await stopping.opened
  let end: unknown
  void rig.bus.publish(Tick, { n: 1 }).catch((error: unknown) => {
    end = error
  })
  await rig.clock.advance(60_000)
  await closing
  expect(isEvtError(end)).toBe(true)
})

test('a drain for a rebalance leaves no timer behind when its deadline passes over a handler that does not end', async () => {
  let told: ConsumerEvents | undefined
  const wrap = (transport: Transport): Transport => ({
    ...transport,
    consume(spec, events) {
      told = events
      return transport.consume(spec, events)
    },
  })
  await using rig = makeRig({ wrap })
  await rig.bus.subscribe(Tick, never, { group: 'a', timeoutMs: 600_000 })
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(1_000)
  const before = rig.clock.armed
  const revoked = told!.revoking([0], 1_000)
  await rig.clock.advance(2_000)
  await revoked
  expect(rig.clock.armed).toBeLessThanOrEqual(before)
})

test('a last run that was stopped because its lease could not be renewed has not failed, and dead-letters nothing', async () => {
  // promise 19
  const log: string[] = []
  const letters: unknown[] = []
  const wrap = (transport: Transport): Transport => ({
    ...transport,
    async consume(spec, events) {
      // The server keeps it: nobody else takes it in this test.
      const consumer = await transport.consume({ ...spec, leaseMs: 600_000 }, events)
      return {
        ...consumer,
        extend: () => Promise.reject(new Error('away')),
        settle(batch) {
          log.push(...batch.map(({ as }) => as))
          return consumer.settle(batch)
        },
      }
    },
  })
  const deadLetters = deadLetterStore(async (entries) => void letters.push(...entries))
  await using rig = makeRig({ wrap, bus: { deadLetters } })
  let runs = 0
  const handler = (_tick: unknown, { signal }: { readonly signal: AbortSignal }) => {
    runs += 1
    if (runs > 1) return undefined
    return new Promise<void>((_resolve, fail) => signal.addEventListener('abort', () => fail(signal.reason)))
  }
  await rig.bus.subscribe(Tick, handler, { group: 'a', leaseMs: 3_000, retry: { attempts: 1 } })
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(10_000)
  expect([log, runs, letters]).toEqual([['release', 'ack'], 2, []])
})

test('what a read brings after a close has given everything back is given back too', async () => {
  // promise 13
  const [late, end] = [door(), door()]
  const log: string[] = []
  let reads = 0
  const around = (consumer: Consumer): Partial<Consumer> => ({
    async read(room, signal) {
      reads += 1
      if (reads === 1) return consumer.read(room, signal)
      await late.opened
      return consumer.read(room, new AbortController().signal)
    },
    settle(batch) {
      log.push(...batch.map(({ as }) => as))
      return consumer.settle(batch)
    },
  })
  await using rig = makeRig({ wrap: withConsumers(around) })
  const subscription = await rig.bus.subscribe(Tick, () => end.opened, { group: 'a', timeoutMs: 600_000 })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  await rig.bus.publish(Tick, { n: 2 })
  const closing = subscription.close({ deadlineMs: 60_000 })
  await rig.clock.advance(2_000)
  late.open()
  await settle()
  expect(log).toEqual(['release'])
  end.open()
  await closing
})
