import { defineEvents, on, onAny, onEach, onEverything, type } from '../src/index.ts'
import { door, failureOf, Keyed, makeRig, type Numbered, Tick, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'

test('latestOnly: while a key is busy only its newest message is kept, the skipped ones are counted and settled', async () => {
  await using rig = makeRig()
  const end = door()
  const seen: string[] = []
  const subscription = await rig.bus.subscribe(
    Keyed,
    async ({ n, key }) => {
      if (n === 1) await end.opened
      seen.push(`${key}${n}`)
    },
    { group: 'a', latestOnly: true },
  )
  for (const n of [1, 2, 3, 4]) await rig.bus.publish(Keyed, { n, key: 'x' })
  await rig.bus.publish(Keyed, { n: 2, key: 'y' })
  await settle()
  end.open()
  await settle()
  expect(seen).toEqual(['y2', 'x1', 'x4'])
  expect(subscription.stats()).toMatchObject({ superseded: 2, acknowledged: 3 })
  expect((await rig.transport.inspect('evt.rig.keyed'))[0]).toMatchObject({ lag: 0, running: 0 })
})

test('latestOnly without a key could never skip anything, so it is refused by name', async () => {
  // promise 18
  await using rig = makeRig()
  const refused = { code: 'EVT_OPTION_INVALID', details: { option: 'latestOnly' } }
  expect(await failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a', latestOnly: true }))).toMatchObject(
    refused,
  )
  const unordered = { group: 'a', latestOnly: true, ordered: 'none' } as const
  expect(await failureOf(() => rig.bus.subscribe(Keyed, () => {}, unordered))).toMatchObject(refused)
})

test('messages older than maxAgeMs are acknowledged unhandled, counted and reported', async () => {
  const lines: string[] = []
  await using rig = makeRig({
    bus: { logger: { debug() {}, info() {}, error() {}, warn: (_fields, message) => void lines.push(message!) } },
  })
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(1_001)
  await rig.bus.publish(Tick, { n: 2 })
  const seen: number[] = []
  const subscription = await rig.bus.subscribe(Tick, ({ n }) => void seen.push(n), { group: 'a', maxAgeMs: 1_000 })
  await settle()
  expect(seen).toEqual([2])
  expect(subscription.stats()).toMatchObject({ expired: 1, acknowledged: 2 })
  expect(lines).toEqual(['message expired'])
})

test('a filter sees the delivery; what it declines is acknowledged and counted', async () => {
  await using rig = makeRig()
  const seen: number[] = []
  const subscription = await rig.bus.subscribe(Tick, ({ n }) => void seen.push(n), {
    group: 'a',
    filter: ({ payload, metadata }) => (payload as Numbered).n > 1 && metadata.tenant === 'a',
  })
  for (const n of [1, 2, 3]) await rig.bus.publish(Tick, { n }, { metadata: { tenant: n === 3 ? 'b' : 'a' } })
  await settle()
  expect(seen).toEqual([2])
  expect(subscription.stats()).toMatchObject({ filtered: 2, acknowledged: 3 })
})

test('a filter that forgets its answer, or answers with a promise, fails the message and loses none', async () => {
  for (const answer of [undefined, Promise.resolve(false)]) {
    await using rig = makeRig()
    const seen: number[] = []
    const subscription = await rig.bus.subscribe(Tick, ({ n }) => void seen.push(n), {
      group: 'a',
      filter: () => answer as unknown as boolean,
      retry: { attempts: 1 },
    })
    await rig.bus.publish(Tick, { n: 1 })
    await settle()
    expect(seen).toEqual([])
    expect(subscription.stats()).toMatchObject({ filtered: 0, deadLettered: 1 })
  }
})

test('a broadcast reaches every instance, a group one worker, both on one event', async () => {
  await using rig = makeRig()
  const seen: string[] = []
  const worker = () => void seen.push('worker')
  const audit = () => void seen.push('audit')
  await rig.bus.subscribe(
    on(Tick, worker, { mode: 'worker' }),
    on(Tick, worker, { mode: 'worker' }),
    on(Tick, audit, { mode: 'broadcast', name: 'audit' }),
    on(Tick, audit, { mode: 'broadcast', name: 'audit' }),
  )
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(seen.sort()).toEqual(['audit', 'audit', 'worker'])
})

test('a durable broadcast goes on where its instance stopped', async () => {
  await using rig = makeRig()
  const seen: number[] = []
  const audit = on(Tick, ({ n }) => void seen.push(n), { mode: 'broadcast', name: 'audit', instance: 'one' })
  const [first] = await rig.bus.subscribe(audit)
  expect(first!.consumer).toBe('rig/audit@one')
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  await first!.close()
  await rig.bus.publish(Tick, { n: 2 })
  await rig.bus.subscribe(audit)
  await settle()
  expect(seen).toEqual([1, 2])
})

test('two handlers that share a group or a durable instance on one event are refused, also through onAny', async () => {
  await using rig = makeRig()
  await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  await rig.bus.subscribe(Tick, () => {}, { mode: 'broadcast', name: 'audit', instance: 'one' })
  const shared = { code: 'EVT_GROUP_SHARED', details: { event: 'rig.tick' } }
  expect(await failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a' }))).toMatchObject(shared)
  const any = onAny({ Tick, Tock }, () => {}, { group: 'a' })
  expect(await failureOf(() => rig.bus.subscribe(any))).toMatchObject(shared)
  const again = { mode: 'broadcast', name: 'audit', instance: 'one' } as const
  expect(await failureOf(() => rig.bus.subscribe(Tick, () => {}, again))).toMatchObject(shared)
  // What was refused has claimed nothing.
  await rig.bus.subscribe(Tock, () => {}, { group: 'a' })
})

test('onAny hands every event to one handler, onEach each to its own, within one bound of concurrency', async () => {
  await using rig = makeRig()
  const seen: string[] = []
  let running = 0
  let most = 0
  await rig.bus.subscribe(
    onAny(
      { Tick, Tock },
      async (delivery) => {
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
        seen.push(`any ${delivery.type} ${delivery.payload.n}`)
      },
      { group: 'any', concurrency: 1 },
    ),
    onEach(
      { tick: Tick, tock: Tock },
      { tick: ({ n }) => void seen.push(`tick ${n}`), tock: ({ n }, { type }) => void seen.push(`${type} ${n}`) },
      { group: 'each' },
    ),
  )
  await rig.bus.publishMany([Tick.of({ n: 1 }), Tock.of({ n: 2 })])
  for (let turn = 0; turn < 3; turn += 1) await settle()
  expect(seen.sort()).toEqual(['any rig.tick 1', 'any rig.tock 2', 'rig.tock 2', 'tick 1'])
  expect(most).toBe(1)
})

test('onEverything takes all events that are registered, and fails where that is none', async () => {
  await using rig = makeRig()
  const seen: string[] = []
  const audit = onEverything((delivery) => void seen.push(delivery.type), { mode: 'broadcast' })
  expect(await failureOf(() => rig.bus.subscribe(audit))).toMatchObject({
    code: 'EVT_OPTION_INVALID',
    details: { option: 'events' },
  })
  await rig.bus.register(Tick)
  const durable = { mode: 'broadcast', instance: 'one' } as const
  const [one] = await rig.bus.subscribe(onEverything(() => {}, durable))
  await rig.bus.register(Tock)
  const [two] = await rig.bus.subscribe(onEverything((delivery) => void seen.push(delivery.type), { group: 'all' }))
  // Its identity does not hang on how many there happen to be.
  expect([one!.consumer, two!.consumer]).toEqual(['rig/everything@one', 'rig/all'])
  await rig.bus.publishMany([Tick.of({ n: 1 }), Tock.of({ n: 2 })])
  await settle()
  expect(seen).toEqual(['rig.tick', 'rig.tock'])
})

test('events defined together share their prefix', async () => {
  const stock = defineEvents('stock', {
    reserved: { schema: type<{ sku: string }>(), key: ({ sku }) => sku },
    released: { schema: type<{ sku: string }>() },
  })
  expect([stock.reserved.name, stock.released.name]).toEqual(['stock.reserved', 'stock.released'])
})

test('of two definitions of one name the second is refused, whoever comes first, also in another case', async () => {
  const other = { ...Tick, name: 'Rig.Tick' as const }
  await using rig = makeRig()
  const results = await Promise.allSettled([
    rig.bus.register(Tick),
    rig.bus.register(other),
    rig.bus.register({ ...Tick }),
  ])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  await rig.bus.register(Tick)
  expect(rig.bus.describe().events.map(({ name }) => name)).toEqual(['rig.tick'])
  await using fresh = makeRig()
  await fresh.bus.register(other)
})

test('of a list with an event that is refused none is registered, and the others can be registered later', async () => {
  await using rig = makeRig()
  const names = () => rig.bus.describe().events.map(({ name }) => name)
  await rig.bus.register(Tick)
  for (const list of [
    [Tock, { ...Tick }],
    [Tock, Keyed, { ...Tock }],
  ])
    expect(await failureOf(() => rig.bus.register(list))).toMatchObject({ code: 'EVT_EVENT_DUPLICATE' })
  expect(names()).toEqual(['rig.tick'])
  await rig.bus.register([Tick, Tock])
  expect(names()).toEqual(['rig.tick', 'rig.tock'])
})
