import {
  type BridgeOptions,
  bridge,
  createBus,
  type Delivery,
  type Headers,
  type MemoryTransport,
  type MemoryTransportOptions,
  type Middleware,
  memoryTransport,
  on,
  type RoutedOptions,
  silentLogger,
  type TransportDelivery,
} from '../src/index.ts'
import { failureOf, Keyed, range, smuggle, Tick, Tock } from './rig.ts'
import { settle, virtualClock } from './virtual-clock.ts'

/** One bus between two transports; `here` is where it publishes. */
function twoPlaces(options: Partial<RoutedOptions<never, 'here' | 'there'>> = {}, memory: MemoryTransportOptions = {}) {
  const clock = virtualClock()
  // Copies, whose methods a test may replace: a memory transport itself is published to without them.
  const transports = { here: { ...memoryTransport({ clock, ...memory }) }, there: { ...memoryTransport({ clock }) } }
  const bus = createBus({
    service: 'rig',
    transports,
    defaultTransport: 'here',
    clock,
    random: () => 0.5,
    logger: silentLogger,
    ...options,
  })
  return {
    bus,
    clock,
    ...transports,
    async [Symbol.asyncDispose]() {
      const closing = bus.close({ deadlineMs: 0 })
      await clock.advance(60_000)
      await closing
    },
  }
}
const outward: BridgeOptions = { from: 'here', to: 'there' }
const letters = (transport: MemoryTransport) => transport.deadLetters().map(({ headers }) => headers['ce-id'])

/** The headers as they travelled, which handlers see in parts only. */
function headersOf(delivery: Delivery): Headers {
  return { ...(delivery as Delivery & { readonly received: TransportDelivery }).received.headers }
}
/** Ends what would go round for ever, so that a broken guard fails its test instead of hanging it. */
function upTo(most: number, transport: MemoryTransport): MemoryTransport {
  const { publish } = transport
  let calls = 0
  transport.publish = async (batch) => {
    calls += 1
    if (calls > most) throw new Error('round and round')
    return publish(batch)
  }
  return transport
}
/** Handles what arrives there. */
function collect<Seen>(look: (delivery: Delivery) => Seen) {
  const seen: Seen[] = []
  const handler = (_payload: unknown, delivery: Delivery) => void seen.push(look(delivery))
  return { seen, handler, options: { group: 'reader', transport: 'there' } as const }
}

test('a bridge keeps id, time, key, subject, metadata, correlation, causation and source', async () => {
  await using rig = twoPlaces()
  const look = (delivery: Delivery) => ({ ...headersOf(delivery), key: delivery.key, payload: delivery.payload })
  const arrived = collect(look)
  const published = collect(look)
  await rig.bus.subscribe(
    bridge([Tick, Keyed], outward),
    on(Keyed, arrived.handler as never, arrived.options),
    on(Keyed, published.handler as never, { group: 'reader-here' }),
    on(Tick, (_tick, delivery) => void delivery.publish(Keyed, { n: 2 }, { subject: 's', metadata: { note: 'ü' } }), {
      group: 'a',
    }),
  )
  await rig.bus.publish(Tick, { n: 1 }, { correlationId: 'c-1', id: 'cause' })
  await settle()
  expect(published.seen).toHaveLength(1)
  expect(published.seen[0]).toMatchObject({
    ...{ key: 'k', note: 'ü', 'ce-subject': 's', 'ce-correlationid': 'c-1', 'ce-causationid': 'cause' },
    payload: { n: 2 },
  })
  expect(arrived.seen).toEqual([{ ...published.seen[0], 'evt-bridged': 'here' }])
})

test('a trace goes on over the bridge, what belongs to the first transport alone does not', async () => {
  await using rig = twoPlaces()
  const arrived = collect(headersOf)
  await rig.bus.subscribe(bridge(Tick, outward), on(Tick, arrived.handler as never, arrived.options))
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await smuggle(rig.here, 'evt.rig.tick', { traceparent, 'evt-attempt': '4', note: 'x' })
  await settle()
  expect(arrived.seen).toMatchObject([{ traceparent, note: 'x', 'ce-id': 'foreign-1', 'evt-bridged': 'here' }])
  expect(arrived.seen[0]).not.toHaveProperty('evt-attempt')
})

test('messages of one key keep their order over the bridge', async () => {
  await using rig = twoPlaces()
  const { publish } = rig.there
  // Every third call is slower than those behind it.
  let calls = 0
  rig.there.publish = async (batch) => {
    calls += 1
    if (calls % 3 === 0) await settle()
    return publish(batch)
  }
  const arrived = collect(({ key, payload }) => `${key}${(payload as { n: number }).n}`)
  await rig.bus.subscribe(bridge([Keyed], outward), on(Keyed, arrived.handler as never, arrived.options))
  await rig.bus.publishMany(range(200).map((n) => Keyed.of({ n, key: `k${n % 7}-` })))
  while (arrived.seen.length < 200) await settle()
  for (const key of range(7)) {
    const own = arrived.seen.filter((each) => each.startsWith(`k${key}-`))
    expect(own).toEqual(range(200).flatMap((n) => (n % 7 === key ? [`k${key}-${n}`] : [])))
  }
})

test('while the target is away messages wait, burn no attempt, and go over in order when it is back', async () => {
  await using rig = twoPlaces()
  const { publish } = rig.there
  let tries = 0
  rig.there.publish = async () => {
    tries += 1
    throw new Error('away')
  }
  const arrived = collect(({ payload }) => (payload as { n: number }).n)
  const attempts = new Set<number>()
  const watching: Middleware = {
    name: 'watching',
    consume(delivery, next) {
      attempts.add(delivery.attempt)
      return next()
    },
  }
  const [bridging] = await rig.bus.subscribe(
    bridge([Keyed], { ...outward, use: [watching] }),
    on(Keyed, arrived.handler as never, arrived.options),
  )
  await rig.bus.publishMany(range(3).map((n) => Keyed.of({ n })))
  for (const _second of range(20)) await rig.clock.advance(1_000)
  expect(tries).toBeGreaterThan(15)
  expect([...attempts]).toEqual([1])
  rig.there.publish = publish
  await rig.clock.advance(1_000)
  await settle()
  expect(arrived.seen).toEqual([0, 1, 2])
  expect(bridging!.stats()).toMatchObject({ acknowledged: 3, deadLettered: 0 })
})

test('what the target refuses is dead-lettered where it was read, and its successors go on', async () => {
  await using rig = twoPlaces()
  const { publish } = rig.there
  rig.there.publish = async (batch) =>
    batch[0]!.id === 'large' ? [{ index: 0, outcome: 'refused', error: new Error('too large') }] : publish(batch)
  const arrived = collect(({ id }) => id)
  await rig.bus.subscribe(bridge([Keyed], outward), on(Keyed, arrived.handler as never, arrived.options))
  await rig.bus.publish(Keyed, { n: 0 }, { id: 'large' })
  await rig.bus.publish(Keyed, { n: 1 }, { id: 'small' })
  await settle()
  expect(arrived.seen).toEqual(['small'])
  expect(letters(rig.here)).toEqual(['large'])
})

test('two bridges in opposite directions send no message back', async () => {
  await using rig = twoPlaces({ routes: [{ events: [Tock], to: 'there' }] })
  for (const place of [rig.here, rig.there]) upTo(10, place)
  const seen: string[] = []
  const read = (_tick: unknown, { id }: Delivery) => void seen.push(id)
  await rig.bus.subscribe(
    bridge([Tick, Tock], outward),
    bridge([Tick, Tock], { from: 'there', to: 'here' }),
    on(Tick, read as never, { group: 'h', transport: 'here' }),
    on(Tick, read as never, { group: 't', transport: 'there' }),
    on(Tock, read as never, { group: 'h', transport: 'here' }),
    on(Tock, read as never, { group: 't', transport: 'there' }),
  )
  await rig.bus.publish(Tick, { n: 1 }, { id: 'outward' })
  await rig.bus.publish(Tock, { n: 1 }, { id: 'homeward' })
  for (const _round of range(20)) await settle()
  expect(seen.sort()).toEqual(['homeward', 'homeward', 'outward', 'outward'])
})

test('a ring of three bridges ends where it began', async () => {
  const clock = virtualClock()
  const place = () => upTo(10, memoryTransport({ clock }))
  const transports = { a: place(), b: place(), c: place() }
  const bus = createBus({ service: 'rig', transports, defaultTransport: 'a', clock, logger: silentLogger })
  const seen: string[] = []
  for (const transport of ['a', 'b', 'c'])
    await bus.subscribe(Tick, () => void seen.push(transport), { group: transport, transport })
  for (const [from, to] of [
    ['a', 'b'],
    ['b', 'c'],
    ['c', 'a'],
  ] as const)
    await bus.subscribe(bridge('everything', { from, to }))
  await bus.publish(Tick, { n: 1 })
  for (const _round of range(20)) await settle()
  expect(seen).toEqual(['a', 'b', 'c'])
  await bus.close()
})

test('a payload that nobody here can read goes over byte by byte', async () => {
  await using rig = twoPlaces()
  await rig.bus.subscribe(bridge([Tick], outward))
  const bytes = Uint8Array.from([0, 255, 0x7b])
  await smuggle(rig.here, 'evt.rig.tick', { 'content-type': 'application/x-unknown' }, bytes)
  await settle()
  const consumer = await rig.there.consume(
    {
      topic: 'evt.rig.tick',
      consumer: 'raw',
      as: { group: 'raw' },
      from: 'earliest',
      ordered: 'none',
      leaseMs: 1_000,
    },
    { revoking: async () => {}, lost() {}, cut() {}, recreated() {} },
  )
  const [delivery] = await consumer.read({ messages: 1, bytes: 1_000 }, AbortSignal.timeout(5_000))
  expect([...delivery!.payload]).toEqual([...bytes])
  expect(delivery!.headers['content-type']).toBe('application/x-unknown')
  expect(letters(rig.here)).toEqual([])
  await consumer.close()
})

test.each([
  ['a line break in a value', { note: 'x\r\nce-id: other' }],
  ['a line break in a name', { 'x\r\ny': 'z' }],
  ['a line break in the type', { 'ce-type': 'rig.tick\r\nx: y' }],
  ['half of a surrogate pair', { note: '\ud800' }],
])('%s, which would be a header of its own on another broker, is dead-lettered', async (_what, headers) => {
  await using rig = twoPlaces()
  const arrived = collect(({ id }) => id)
  await rig.bus.subscribe(bridge([Tick], outward), on(Tick, arrived.handler as never, arrived.options))
  await smuggle(rig.here, 'evt.rig.tick', headers)
  await settle()
  expect(letters(rig.here)).toEqual(['foreign-1'])
  expect(arrived.seen).toEqual([])
})

test('what travels here by reference goes over as bytes', async () => {
  await using rig = twoPlaces({}, { byReference: true })
  const arrived = collect(({ payload }) => payload)
  await rig.bus.subscribe(bridge([Tick], outward), on(Tick, arrived.handler as never, arrived.options))
  await rig.bus.publish(Tick, { n: 7 })
  await settle()
  expect(arrived.seen).toEqual([{ n: 7 }])
})

test('a bridge is a subscription: the bus describes it, and closing it ends it', async () => {
  await using rig = twoPlaces()
  const [bridging] = await rig.bus.subscribe(bridge({ Tick, Tock }, { ...outward, concurrency: 3 }))
  expect(rig.bus.describe().subscriptions).toMatchObject([
    { consumer: 'rig/bridge-to-there', events: ['rig.tick', 'rig.tock'], settings: { concurrency: { value: 3 } } },
  ])
  await bridging!.close()
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(await rig.there.inspect('evt.rig.tick')).toEqual([])
  expect(rig.bus.describe().subscriptions).toEqual([])
})

test('a transport that the bus does not have is an error before anything is read', async () => {
  await using rig = twoPlaces()
  for (const options of [
    { from: 'here', to: 'nowhere' },
    { from: 'nowhere', to: 'there' },
  ])
    expect((await failureOf(() => rig.bus.subscribe(bridge(Tick, options)))).code).toBe('EVT_TRANSPORT_UNKNOWN')
  expect(await rig.here.inspect('evt.rig.tick')).toEqual([])
})

test.each([
  ['the same transport twice', [Tick, { from: 'here', to: 'here' }], 'EVT_OPTION_INVALID'],
  ['no target', [Tick, { from: 'here' }], 'EVT_OPTION_INVALID'],
  ['no event', [[], outward], 'EVT_OPTION_INVALID'],
  ['what is no event', [{ name: 'rig.tick' }, outward], 'EVT_OPTION_INVALID'],
  ['an option of handlers', [Tick, { ...outward, timeoutMs: 1 }], 'EVT_OPTION_UNKNOWN'],
])('a bridge with %s is refused', async (_what, args, code) => {
  expect((await failureOf(() => bridge(...(args as Parameters<typeof bridge>)))).code).toBe(code)
})
