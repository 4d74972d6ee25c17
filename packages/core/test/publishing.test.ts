import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { z } from 'zod'
import { createBus, defineEvent, discard, memoryTransport, type Transport, type } from '../src/index.ts'
import { door, failureOf, Keyed, makeRig, range, Tick, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'

test('a publish says what took the message, and rejects when nothing did', async () => {
  await using full = makeRig({ memory: { maxMessages: 1, overflow: 'reject' } })
  await full.bus.subscribe(Tick, () => new Promise(() => {}), { group: 'a' })
  expect(await full.bus.publish(Tick, { n: 1 })).toMatchObject({ via: 'transport' })
  expect(await failureOf(() => full.bus.publish(Tick, { n: 2 }))).toMatchObject({
    code: 'EVT_PUBLISH_UNAVAILABLE',
    retryable: true,
    cause: { code: 'EVT_TRANSPORT_FULL' },
  })
  expect(full.transport.supports).toMatchObject({ durability: 'process', confirms: 'accepted', attempts: 'memory' })
})

test('a publish that gets no answer rejects as unknown once its time is over, and those behind it as unavailable', async () => {
  await using rig = makeRig({
    wrap: (transport) => ({ ...transport, publish: () => new Promise(() => {}) }),
    bus: { publishTimeoutMs: 1_000 },
  })
  const first = failureOf(() => rig.bus.publish(Tick, { n: 1 }))
  await settle()
  const second = failureOf(() => rig.bus.publish(Tick, { n: 2 }))
  await rig.clock.advance(1_000)
  expect([(await first).code, (await second).code]).toEqual(['EVT_PUBLISH_UNKNOWN', 'EVT_PUBLISH_UNAVAILABLE'])
})

test('what a publish gave up waiting for is not kept, however long the transport stays silent', async () => {
  await using rig = makeRig({
    wrap: (transport) => ({ ...transport, publish: () => new Promise(() => {}) }),
    bus: { publishTimeoutMs: 1_000 },
  })
  const encoded: WeakRef<Uint8Array>[] = []
  const Large = defineEvent('rig.large', {
    schema: type<string>(),
    codec: {
      contentType: 'application/x-large',
      encode: () => {
        const bytes = new Uint8Array(1_000)
        encoded.push(new WeakRef(bytes))
        return bytes
      },
      decode: (bytes) => bytes,
    },
  })
  for (let round = 0; round < 3; round += 1) {
    const failures = range(2_000).map(() => failureOf(() => rig.bus.publish(Large, 'x')))
    await rig.clock.advance(2_000)
    await Promise.all(failures)
  }
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  // The call that was never answered has its own batch.
  expect(encoded.filter((bytes) => bytes.deref() !== undefined).length).toBeLessThanOrEqual(600)
})

test('a topic that cannot be declared fails its own messages, and those of a key behind them, and nothing else', async () => {
  await using rig = makeRig({
    wrap: (transport) => ({
      ...transport,
      declare: async (topic) => {
        if (topic.name === 'evt.rig.tock') throw new Error('not allowed')
        return transport.declare(topic)
      },
    }),
  })
  const published = await rig.bus
    .publishMany([
      Tock.of({ n: 1 }, { key: 'a' }),
      Tick.of({ n: 2 }, { key: 'b' }),
      Tick.of({ n: 3 }, { key: 'a' }),
      Tick.of({ n: 4 }),
    ])
    .catch((error: unknown) => error)
  expect(published).toMatchObject({
    code: 'EVT_PUBLISH_PARTIAL',
    details: {
      failures: [
        { index: 0, outcome: 'unavailable' },
        { index: 2, outcome: 'unavailable' },
      ],
    },
  })
})

test('a partly accepted list rejects with the fate of every index', async () => {
  await using rig = makeRig({
    wrap: (transport) => ({
      ...transport,
      publish: async (batch) =>
        batch.flatMap((_outgoing, index) =>
          index === 1 ? [{ index, outcome: 'refused' as const, error: new Error('too big') }] : [],
        ),
    }),
  })
  const failure = await failureOf(() => rig.bus.publishMany(range(3).map((n) => Tick.of({ n }))))
  expect(failure).toMatchObject({
    code: 'EVT_PUBLISH_PARTIAL',
    details: { failures: [{ index: 1, outcome: 'refused' }] },
  })
})

test('a list with one message that cannot be sent sends none', async () => {
  const Strict = defineEvent('rig.strict', {
    schema: z.object({ n: z.number() }),
    key: (strict) => String(strict.n || ''),
  })
  await using rig = makeRig()
  let seen = 0
  await rig.bus.subscribe(
    Strict,
    () => {
      seen += 1
    },
    { group: 'a' },
  )
  const invalid = await failureOf(() => rig.bus.publishMany([Strict.of({ n: 1 }), Strict.of({ n: 'x' } as never)]))
  const keyless = await failureOf(() => rig.bus.publishMany([Strict.of({ n: 1 }), Strict.of({ n: 0 })]))
  await settle()
  expect([invalid.code, keyless.code, seen]).toEqual(['EVT_PAYLOAD_INVALID', 'EVT_OPTION_INVALID', 0])
})

test('fire neither throws nor rejects: failures are reported and counted, and close waits for what is under way', async () => {
  await using rig = makeRig()
  let seen = 0
  await rig.bus.subscribe(
    Tick,
    () => {
      seen += 1
    },
    { group: 'a' },
  )
  rig.bus.fire(undefined as never, undefined as never)
  rig.bus.fire(Tick, { n: 1 }, { metadata: { 'ce-id': 'x' } })
  rig.bus.fire(Tick, { n: 2 })
  await settle()
  expect(seen).toBe(1)
  expect(rig.reports.map(({ during }) => during)).toEqual(['fire', 'fire'])
  expect((await rig.bus.health()).parts).toContainEqual(
    expect.objectContaining({ name: 'fire', status: 'degraded', reason: '2 fired messages failed' }),
  )
  let accepted = 0
  const other = createBus({
    service: 'other',
    transport: {
      ...memoryTransport(),
      publish: async (batch) => {
        accepted += batch.length
        return []
      },
    },
  })
  for (const n of range(100)) other.fire(Tick, { n })
  await other.close()
  expect(accepted).toBe(100)
})

test('more than 10,000 fired messages under way are refused and reported, not kept', async () => {
  await using rig = makeRig({ wrap: (transport) => ({ ...transport, publish: () => new Promise(() => {}) }) })
  for (const n of range(10_005)) rig.bus.fire(Tick, { n })
  await settle()
  expect(rig.reports).toHaveLength(5)
})

test('a discarded event is validated, gets an id and goes nowhere', async () => {
  await using rig = makeRig()
  let seen = 0
  await rig.bus.subscribe(
    Tick,
    () => {
      seen += 1
    },
    { group: 'a' },
  )
  const published = await rig.bus.publish(discard(Tick), { n: 1 })
  const [kept, dropped] = await rig.bus.publishMany([Tick.of({ n: 2 }), discard(Tick).of({ n: 3 })])
  await settle()
  expect(published.via).toBe('nowhere')
  expect([kept!.via, dropped!.via, seen]).toEqual(['transport', 'nowhere', 1])
  const Strict = defineEvent('rig.strict', { schema: z.object({ n: z.number() }) })
  expect((await failureOf(() => rig.bus.publish(discard(Strict), { n: 'x' } as never))).code).toBe(
    'EVT_PAYLOAD_INVALID',
  )
})

test('an aborted publish stops waiting', async () => {
  await using rig = makeRig({ wrap: (transport) => ({ ...transport, publish: () => new Promise(() => {}) }) })
  const stop = new AbortController()
  const publishing = rig.bus.publish(Tick, { n: 1 }, { signal: stop.signal })
  stop.abort(new Error('enough'))
  await expect(publishing).rejects.toThrow('enough')
})

test('a publish that is aborted while its payload is validated stops waiting at once and is not sent', async () => {
  const validated = door()
  const schema = {
    '~standard': { version: 1, vendor: 'rig', validate: (value: unknown) => validated.opened.then(() => ({ value })) },
  } as const
  const Slow = defineEvent('rig.slow', { schema: schema as never })
  let calls = 0
  const wrap = (transport: Transport): Transport => ({
    ...transport,
    publish(batch) {
      calls += 1
      return transport.publish(batch)
    },
  })
  await using rig = makeRig({ wrap })
  const stop = new AbortController()
  const publishing = rig.bus.publish(Slow, undefined as never, { signal: stop.signal })
  stop.abort(new Error('enough'))
  await expect(publishing).rejects.toThrow('enough')
  validated.open()
  await settle()
  expect(calls).toBe(0)
})

test.each(['accepted', 'settled'] as const)(
  'whenever a second message follows the first of a bus that is just opening, it stays behind it: confirm %s',
  async (confirm) => {
    // promise 16
    for (const turns of range(40)) {
      await using rig = makeRig({ memory: { confirm } })
      const first = rig.bus.publish(Keyed, { n: 1 })
      for (let turn = 0; turn < turns; turn += 1) await undefined
      await Promise.all([first, rig.bus.publish(Keyed, { n: 2 })])
      const order: number[] = []
      await rig.bus.subscribe(Keyed, ({ n }) => void order.push(n), { group: 'a' })
      await settle()
      expect(order).toEqual([1, 2])
    }
  },
)
