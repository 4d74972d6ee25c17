import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { z } from 'zod'
import {
  type Codec,
  contextKey,
  createBus,
  defineEvent,
  discard,
  headersText,
  memoryTransport,
  type Outgoing,
  onAny,
  payloadBytes,
  payloadText,
  type Transport,
  type,
} from '../src/index.ts'
import { failureOf, Keyed, makeRig, range, smuggle, Tick, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'

test('every publish gets an id of its own, also inside a handler, and derived messages carry their cause', async () => {
  // promise 5
  await using rig = makeRig()
  const seen: { id: string; causationId: string | undefined; correlationId: string }[] = []
  await rig.bus.subscribe(
    Tick,
    async (_tick, delivery) => {
      await delivery.publish(Tock, { n: 1 })
      await delivery.publish(Tock, { n: 2 })
      return [Tock.of({ n: 3 }), Tock.of({ n: 4 })]
    },
    { group: 'a' },
  )
  await rig.bus.subscribe(
    Tock,
    (_tock, { id, causationId, correlationId }) => void seen.push({ id, causationId, correlationId }),
    { group: 'b' },
  )
  const parent = await rig.bus.publish(Tick, { n: 0 }, { correlationId: 'order-7' })
  await settle()
  expect(seen).toHaveLength(4)
  expect(new Set([parent.id, ...seen.map(({ id }) => id)]).size).toBe(5)
  for (const { causationId, correlationId } of seen) {
    expect(causationId).toBe(parent.id)
    expect(correlationId).toBe('order-7')
  }
})

test('a message that is published again by the rerun of its handler has the same id when it is returned', async () => {
  await using rig = makeRig()
  const ids: string[] = []
  await rig.bus.subscribe(Tock, (_tock, delivery) => void ids.push(delivery.id), { group: 'b' })
  for (const group of ['a', 'c']) await rig.bus.subscribe(Tick, () => Tock.of({ n: 1 }), { group })
  const { id } = await rig.bus.publish(Tick, { n: 1 }, { id: 'chosen' })
  await rig.bus.publish(Tick, { n: 1 }, { id: 'chosen' })
  await settle()
  expect(id).toBe('chosen')
  expect(ids).toHaveLength(4)
  expect(new Set(ids).size).toBe(2)
})

test('messages that one group returns for two events of one id have ids of their own', async () => {
  await using rig = makeRig()
  const ids: string[] = []
  await rig.bus.subscribe(onAny({ Tick, Tock }, ({ payload }) => Keyed.of({ n: payload.n }), { group: 'a' }))
  await rig.bus.subscribe(Keyed, (_keyed, { id }) => void ids.push(id), { group: 'b' })
  await rig.bus.publish(Tick, { n: 1 }, { id: 'order-7' })
  await rig.bus.publish(Tock, { n: 2 }, { id: 'order-7' })
  await settle()
  expect(ids).toHaveLength(2)
  expect(new Set(ids).size).toBe(2)
})

test('of what arrived, only correlation and trace go on with what a handler publishes', async () => {
  await using rig = makeRig()
  const headers: Readonly<Record<string, string>>[] = []
  await rig.bus.subscribe(Tick, () => Tock.of({ n: 1 }), { group: 'a' })
  await rig.bus.subscribe(Tock, (_tock, delivery) => void headers.push({ ...delivery.metadata }), { group: 'b' })
  await rig.bus.publish(Tick, { n: 1 }, { metadata: { tenant: 'secret', dlq_reason: 'x' } })
  await settle()
  expect(headers).toEqual([{}])
})

test('trace context crosses the wire and goes on with derived messages', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await using rig = makeRig()
  await rig.bus.subscribe(Tick, () => Tock.of({ n: 1 }), { group: 'a' })
  await rig.bus.subscribe(
    Tock,
    () => {
      throw new Error('keep it')
    },
    { group: 'b', retry: { attempts: 1 } },
  )
  await smuggle(rig.transport, 'evt.rig.tick', { traceparent, tracestate: 'a=1', baggage: 'b=2' })
  await settle()
  expect(rig.transport.deadLetters()[0]!.headers).toMatchObject({ traceparent, tracestate: 'a=1', baggage: 'b=2' })
})

test('the envelope carries time, source, type, version and content type, as CloudEvents in binary mode', async () => {
  await using rig = makeRig()
  let delivered: { time: Date; source: string; type: string } | undefined
  await rig.bus.subscribe(
    Keyed,
    (_numbered, { time, source, type }) => {
      delivered = { time, source, type }
      throw new Error('keep it')
    },
    { group: 'a', retry: { attempts: 1 } },
  )
  const time = new Date('2020-02-02T02:02:02.000Z')
  await rig.bus.publish(Keyed, { n: 1, key: 'x' }, { time, subject: 'order/1' })
  await settle()
  expect(delivered).toEqual({ time, source: '/rig', type: 'rig.keyed' })
  const letter = rig.transport.deadLetters()[0]!
  expect(letter.headers).toMatchObject({
    'ce-specversion': '1.0',
    'ce-type': 'rig.keyed',
    'ce-source': '/rig',
    'ce-time': time.toISOString(),
    'ce-dataschema': 'urn:evt:rig.keyed:1',
    'ce-partitionkey': 'x',
    'ce-subject': 'order/1',
    'content-type': 'application/json',
  })
  // Neither base64 nor JSON inside JSON.
  expect(Buffer.from(letter.payload).toString('utf8')).toBe('{"n":1,"key":"x"}')
})

test('the wire carries the validated output, so unknown fields never leave', async () => {
  const Parsed = defineEvent('rig.parsed', {
    schema: z.object({ id: z.string(), currency: z.string().default('EUR') }),
  })
  await using rig = makeRig()
  const seen: unknown[] = []
  await rig.bus.subscribe(Parsed, (parsed) => void seen.push(parsed), { group: 'a' })
  await rig.bus.publish(Parsed, { id: '1', cardNumber: '4111' } as { id: string })
  await settle()
  expect(seen).toEqual([{ id: '1', currency: 'EUR' }])
})

test('an event is decoded with its own codec, whatever another event does under the same content type', async () => {
  class Money {
    readonly cents: bigint
    constructor(cents: bigint) {
      this.cents = cents
    }
  }
  const codec = (sign: string): Codec => ({
    contentType: 'application/x-money',
    encode: (payload) => Buffer.from(`${sign}${(payload as Money).cents}`),
    decode: (bytes) => new Money(BigInt(Buffer.from(bytes).toString('utf8').slice(1))),
  })
  const Paid = defineEvent('rig.paid', { schema: type<Money>(), codec: codec('+') })
  const Owed = defineEvent('rig.owed', { schema: type<Money>(), codec: codec('-') })
  await using rig = makeRig()
  const seen: unknown[] = []
  await rig.bus.subscribe(Paid, (money) => void seen.push(money), { group: 'a' })
  await rig.bus.subscribe(Owed, (money) => void seen.push(money), { group: 'a' })
  await rig.bus.publish(Paid, new Money(12n))
  await rig.bus.publish(Owed, new Money(34n))
  await settle()
  expect(seen).toEqual([new Money(12n), new Money(34n)])
})

test('an event without content reaches its handler as undefined', async () => {
  const Nothing = defineEvent('rig.nothing', { schema: z.void() })
  await using rig = makeRig()
  const seen: unknown[] = []
  await rig.bus.subscribe(Nothing, (nothing) => void seen.push(nothing), { group: 'a' })
  await rig.bus.publish(Nothing, undefined)
  await settle()
  expect(seen).toEqual([undefined])
})

test('ids up to 512 bytes arrive whole, longer ones are refused at publish, naming the field', async () => {
  await using rig = makeRig()
  const ids: string[] = []
  await rig.bus.subscribe(Tick, (_tick, delivery) => void ids.push(delivery.id), { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 }, { id: 'i'.repeat(512) })
  await settle()
  expect(ids).toEqual(['i'.repeat(512)])
  const failure = await failureOf(() => rig.bus.publish(Tick, { n: 1 }, { id: 'i'.repeat(513) }))
  expect(failure).toMatchObject({ code: 'EVT_METADATA_INVALID', details: { name: 'id' } })
})

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

test('publishing middleware runs around every message, may add metadata and sees what its delivery carries', async () => {
  const tenant = contextKey<string>('tenant')
  await using rig = makeRig({
    bus: {
      use: [
        {
          name: 'tenancy',
          async publish(draft, next) {
            draft.metadata('tenant', draft.find(tenant) ?? 'nobody')
            await next()
          },
          async consume(delivery, next) {
            delivery.set(tenant, `of ${delivery.metadata.tenant}`)
            return next()
          },
        },
      ],
    },
  })
  const seen: unknown[] = []
  await rig.bus.subscribe(Tick, () => Tock.of({ n: 1 }), { group: 'a' })
  await rig.bus.subscribe(Tock, (_tock, delivery) => void seen.push(delivery.metadata.tenant), { group: 'b' })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(seen).toEqual(['of nobody'])
})

test('a publishing middleware that neither calls next nor throws fails the publish instead of losing the message', async () => {
  await using rig = makeRig({
    bus: {
      use: [
        {
          name: 'mute',
          publish: (draft, next) => ((draft.payload as { n: number }).n === 1 ? Promise.resolve() : next()),
        },
      ],
    },
  })
  expect((await failureOf(() => rig.bus.publish(Tick, { n: 1 }))).code).toBe('EVT_MIDDLEWARE_NEXT')
  const many = rig.bus.publishMany([Tick.of({ n: 0 }), Tick.of({ n: 1 })])
  expect((await failureOf(() => many)).code).toBe('EVT_MIDDLEWARE_NEXT')
})

test('a publishing middleware that swallows the failure of next does not turn it into a success', async () => {
  await using rig = makeRig({
    wrap: (transport) => ({ ...transport, publish: () => Promise.reject(new Error('down')) }),
    bus: { use: [{ name: 'optimist', publish: (_draft, next) => next().catch(() => undefined) }] },
  })
  expect((await failureOf(() => rig.bus.publish(Tick, { n: 1 }))).code).toBe('EVT_PUBLISH_UNKNOWN')
})

test('an aborted publish stops waiting', async () => {
  await using rig = makeRig({ wrap: (transport) => ({ ...transport, publish: () => new Promise(() => {}) }) })
  const stop = new AbortController()
  const publishing = rig.bus.publish(Tick, { n: 1 }, { signal: stop.signal })
  stop.abort(new Error('enough'))
  await expect(publishing).rejects.toThrow('enough')
})

test('a message without options reaches the transport of another process as one with options does', async () => {
  const sent: Outgoing[] = []
  const transport: Transport = {
    ...memoryTransport(),
    name: 'elsewhere',
    async publish(batch) {
      sent.push(...batch)
      return []
    },
  }
  await using bus = createBus({ service: 'test', transport })
  const payload = { n: 1, key: 'a "key" — ünïcode' }
  const plain = await bus.publish(Keyed, payload)
  const optional = await bus.publish(Keyed, payload, { metadata: {} })
  expect(sent.map(({ id }) => id)).toEqual([plain.id, optional.id])
  const [first, second] = sent.map(({ topic, key, headers, payload: bytes, value }) => {
    const { 'ce-id': id, 'ce-time': time, ...others } = headers
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(new Date(time!).toISOString()).toBe(time)
    return { topic, key, others, text: Buffer.from(bytes).toString(), value }
  })
  expect(first).toEqual(second)
  expect(first!.key).toBe(payload.key)
})

test('headers and payload can be had as text, however the message was made', async () => {
  const sent: Outgoing[] = []
  const transport: Transport = {
    ...memoryTransport(),
    name: 'elsewhere',
    async publish(batch) {
      sent.push(...batch)
      return []
    },
  }
  await using bus = createBus({ service: 'test', transport })
  for (const key of ['k', 'a "key" — ünïcode']) {
    await bus.publish(Keyed, { n: 1, key })
    await bus.publish(Keyed, { n: 1, key }, { subject: 's' })
  }
  await bus.publish(Tick, { n: 1 })
  expect(sent).toHaveLength(5)
  for (const outgoing of sent) {
    expect(JSON.parse(headersText(outgoing))).toEqual({ ...outgoing.headers })
    expect(payloadBytes(outgoing)).toBe(outgoing.payload.byteLength)
  }
  expect(sent.map((outgoing) => payloadText(outgoing))).toEqual([
    '{"n":1,"key":"k"}',
    undefined,
    '{"n":1,"key":"a \\"key\\" — ünïcode"}',
    undefined,
    '{"n":1}',
  ])
})
