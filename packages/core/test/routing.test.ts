import {
  createBus,
  type MemoryTransport,
  memoryTransport,
  on,
  type RelayTarget,
  type Route,
  type StoredMessage,
  silentLogger,
} from '../src/index.ts'
import { failureOf, Keyed, makeRig, range, Tick, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'

function routedBus(routes: readonly Route<'one' | 'two'>[]) {
  const transports = { one: memoryTransport(), two: memoryTransport() }
  const bus = createBus({ service: 'rig', transports, routes, defaultTransport: 'one', logger: silentLogger })
  return { bus, ...transports, [Symbol.asyncDispose]: () => bus.close() }
}
const lag = async (transport: MemoryTransport, event: string) =>
  (await transport.inspect(`evt.${event}`)).map(({ consumer }) => consumer)

test('an event travels over the transports of its first route, the rest over the default', async () => {
  await using rig = routedBus([
    { events: [Tick], to: 'two' },
    { events: 'rig.*', to: 'one' },
  ])
  await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  await rig.bus.subscribe(Tock, () => {}, { group: 'a' })
  expect(await lag(rig.two, 'rig.tick')).toEqual(['rig/a'])
  expect(await lag(rig.one, 'rig.tick')).toEqual([])
  expect(await lag(rig.one, 'rig.tock')).toEqual(['rig/a'])
  expect(rig.bus.describe().events).toMatchObject([
    { name: 'rig.tick', transports: ['two'] },
    { name: 'rig.tock', transports: ['one'] },
  ])
})

test('an event with several transports goes to each as one message of one id; subscriptions read the first or name one', async () => {
  await using rig = routedBus([{ events: { Tick }, to: ['two', 'one'] }])
  const ids: string[] = []
  const read = (_tick: unknown, { id }: { readonly id: string }) => void ids.push(id)
  await rig.bus.subscribe(on(Tick, read, { group: 'a' }), on(Tick, read, { group: 'b', transport: 'one' }))
  const { id } = await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(ids).toEqual([id, id])
  expect([await lag(rig.two, 'rig.tick'), await lag(rig.one, 'rig.tick')]).toEqual([['rig/a'], ['rig/b']])
})

test('with an outbox an event has one row for each of its transports, of one id and the same bytes', async () => {
  const rows: StoredMessage[] = []
  let target: RelayTarget | undefined
  const transports = { one: memoryTransport(), two: memoryTransport() }
  const bus = createBus({
    service: 'rig',
    transports,
    routes: [{ events: [Tick], to: ['two', 'one'] }],
    defaultTransport: 'one',
    outsideTransaction: 'store',
    logger: silentLogger,
    outbox: {
      name: 'rows',
      ambient: () => undefined,
      append: async () => {},
      store: async (messages) => void rows.push(...messages),
      start: async (given) => {
        target = given
      },
      stop: async () => {},
      health: async () => ({ name: 'rows', status: 'healthy' }),
    },
  })
  const { id } = await bus.publish(Tick, { n: 1 })
  await bus.publish(Tock, { n: 2 })
  expect(rows.map(({ transport, topic }) => `${transport} ${topic}`)).toEqual([
    'two evt.rig.tick',
    'one evt.rig.tick',
    'one evt.rig.tock',
  ])
  expect(rows.slice(0, 2).map((row) => [row.id, Buffer.from(row.payload).toString()])).toEqual([
    [id, '{"n":1}'],
    [id, '{"n":1}'],
  ])
  // A transport that is away keeps its own rows waiting and nobody else's.
  transports.two.publish = () => Promise.reject(new Error('away'))
  const seen: string[] = []
  await bus.subscribe(Tick, (_tick, delivery) => void seen.push(delivery.id), { group: 'a', transport: 'one' })
  for (const { transport, ...outgoing } of rows.slice(0, 2)) {
    const failures = await target!.publish(transport, [outgoing])
    expect(failures.map(({ outcome }) => outcome)).toEqual(transport === 'two' ? ['unknown'] : [])
  }
  await settle()
  expect(seen).toEqual([id])
  await bus.close()
})

test('a service pins all its events to a transport by their prefix, and the description says so', async () => {
  await using rig = routedBus([{ events: '*', to: 'two' }])
  await rig.bus.register([Tick, Keyed, Tock])
  expect(rig.bus.describe().events.map(({ transports }) => transports)).toEqual([['two'], ['two'], ['two']])
  await rig.bus.subscribe(Keyed, () => {}, { group: 'a' })
  expect([await lag(rig.one, 'rig.keyed'), await lag(rig.two, 'rig.keyed')]).toEqual([[], ['rig/a']])
})

test('where one of several transports fails the publish says that part is out, and which one has no message', async () => {
  await using rig = routedBus([{ events: [Tick], to: ['one', 'two'] }])
  rig.two.publish = () => Promise.reject(new Error('away'))
  const away = { index: 0, outcome: 'unknown', error: { code: 'EVT_PUBLISH_UNKNOWN', details: { transport: 'two' } } }
  const seen: string[] = []
  await rig.bus.subscribe(Tick, (_tick, { id }) => void seen.push(id), { group: 'a' })
  const failure = await failureOf(() => rig.bus.publish(Tick, { n: 1 }, { id: 'a' }))
  expect(failure).toMatchObject({ code: 'EVT_PUBLISH_PARTIAL', details: { ids: ['a'], failures: [away] } })
  expect(failure.message).toContain('by all of their transports')
  const list = await failureOf(() => rig.bus.publishMany([Tock.of({ n: 1 }), Tick.of({ n: 2 }, { id: 'b' })]))
  expect(list).toMatchObject({ code: 'EVT_PUBLISH_PARTIAL', details: { failures: [{ ...away, index: 1 }] } })
  await settle()
  expect(seen).toEqual(['a', 'b'])
  expect((await rig.bus.health()).parts).toContainEqual(
    expect.objectContaining({ name: 'transport:two', status: 'unhealthy' }),
  )
})

test('where several transports fail alike the message is out nowhere, and the publish says that; else it tells each apart', async () => {
  await using rig = routedBus([{ events: [Tick], to: ['one', 'two'] }])
  const fail = (outcome: 'refused' | 'unavailable'): MemoryTransport['publish'] => {
    return async () => [{ index: 0, outcome, error: new Error(outcome) }]
  }
  rig.one.publish = fail('unavailable')
  rig.two.publish = fail('unavailable')
  expect((await failureOf(() => rig.bus.publish(Tick, { n: 1 }))).code).toBe('EVT_PUBLISH_UNAVAILABLE')
  rig.two.publish = fail('refused')
  const failure = await failureOf(() => rig.bus.publish(Tick, { n: 1 }))
  const fates = (failure as { details: { failures?: readonly { outcome: string }[] } }).details.failures
  expect([failure.code, fates?.map(({ outcome }) => outcome)]).toEqual([
    'EVT_PUBLISH_PARTIAL',
    ['unavailable', 'refused'],
  ])
})

test('a route by prefix needs its star', async () => {
  const routes = [{ events: 'rig.', to: 'one' }]
  const construct = () =>
    createBus({
      service: 's',
      transports: { one: memoryTransport() },
      defaultTransport: 'one',
      routes: routes as never,
    })
  expect(await failureOf(construct)).toMatchObject({ details: { option: 'routes.events' } })
})

test('a wrapped transport keeps what it declares, its health and its lag', async () => {
  let published = 0
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      publish(batch) {
        published += batch.length
        return memory.publish(batch)
      },
    }),
  })
  await rig.bus.publishMany(range(3).map((n) => Keyed.of({ n })))
  expect(published).toBe(3)
  expect(rig.bus.describe().transports).toEqual([{ name: 'memory', kind: 'memory', supports: rig.transport.supports }])
})

test('a transport is opened once, at first use, and asked again after a failure', async () => {
  let opened = 0
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      async open() {
        opened += 1
        if (opened === 1) throw new Error('no connection')
      },
    }),
  })
  expect(opened).toBe(0)
  expect(await failureOf(() => rig.bus.publish(Tick, { n: 1 }))).toMatchObject({
    code: 'EVT_PUBLISH_UNAVAILABLE',
    retryable: true,
  })
  await Promise.all(range(5).map((n) => rig.bus.publish(Tick, { n })))
  await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  expect(opened).toBe(2)
})

test('register declares topics at once and says what a transport has against them', async () => {
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      declare: async (topic) => {
        if (topic.name === 'evt.rig.tock') throw new Error('it has other partitions')
        return topic
      },
    }),
  })
  await rig.bus.register(Tick)
  await expect(rig.bus.register(Tock)).rejects.toThrow('it has other partitions')
})
