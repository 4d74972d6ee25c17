import { z } from 'zod'
import {
  type Codec,
  createBus,
  defineEvent,
  headersText,
  memoryTransport,
  type Outgoing,
  payloadBytes,
  payloadText,
  type Transport,
  type,
} from '../src/index.ts'
import { failureOf, Keyed, makeRig, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

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

/** A transport of another process, and what is sent over it. */
function elsewhere(): { readonly sent: readonly Outgoing[]; readonly transport: Transport } {
  const sent: Outgoing[] = []
  const transport: Transport = {
    ...memoryTransport(),
    name: 'elsewhere',
    async publish(batch) {
      sent.push(...batch)
      return []
    },
  }
  return { sent, transport }
}

test('a message without options reaches the transport of another process as one with options does', async () => {
  const { sent, transport } = elsewhere()
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
  const { sent, transport } = elsewhere()
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
