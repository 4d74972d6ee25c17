import { z } from 'zod'
import {
  checkMetadata,
  type DeadLetterEntry,
  defineEvent,
  jsonCodec,
  readEnvelope,
  readMetadata,
  type,
} from '../src/index.ts'
import { deadLetterStore, failureOf, makeRig, range, smuggle, Tick, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'

// S4 to S7: what arrives is not trusted, what leaves is legal everywhere.

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test.each([
  ['CR and LF in a value', { note: 'a\r\nce-id: x' }],
  ['NUL in a value', { note: 'a\0' }],
  ['a C1 control in a value', { note: 'a\u0085b' }],
  ['half of a surrogate pair', { note: '\ud800' }],
  ['CR and LF in a name', { 'a\r\nb': 'x' }],
  ['a space in a name', { 'a b': 'x' }],
  ['an empty name', { '': 'x' }],
  ['a name of 129 bytes', { ['n'.repeat(129)]: 'x' }],
  ['65 entries', Object.fromEntries(range(65).map((n) => [`n${n}`, 'x']))],
  ['more than 16 KiB together', Object.fromEntries(range(17).map((n) => [`n${n}`, 'x'.repeat(1_000)]))],
  ['a value that is no text', { note: 5 }],
  ['__proto__', JSON.parse('{"__proto__":"x"}')],
  ['the reserved name ce-id', { 'ce-id': 'x' }],
  ['the reserved name CE-Type', { 'CE-Type': 'x' }],
  ['the reserved name ce_id', { ce_id: 'x' }],
  ['the reserved name evt-attempt', { 'evt-attempt': 'x' }],
  ['the reserved name EVT_x', { EVT_x: 'x' }],
  ['the reserved name content-type', { 'content-type': 'x' }],
  ['the reserved name traceparent', { traceparent: 'x' }],
  ['the reserved name tracestate', { tracestate: 'x' }],
  ['the reserved name baggage', { baggage: 'x' }],
])('metadata with %s is refused on every transport alike, before anything is sent', async (_what, metadata) => {
  await using rig = makeRig()
  expect((await failureOf(() => rig.bus.publish(Tick, { n: 1 }, { metadata: metadata as never }))).code).toBe(
    'EVT_METADATA_INVALID',
  )
  const middleware = makeRig({
    bus: {
      use: [
        {
          name: 'm',
          async publish(draft, next) {
            for (const [name, value] of Object.entries(metadata)) draft.metadata(name, value as string)
            await next()
          },
        },
      ],
    },
  })
  await using other = middleware
  expect((await failureOf(() => other.bus.publish(Tick, { n: 1 }))).code).toBe('EVT_METADATA_INVALID')
})

test.each([
  ['id', 'a\r\nb'],
  ['key', 'a\0'],
  ['subject', '\u007f'],
  ['correlationId', 'x'.repeat(513)],
])('the publish option %s is held to the same rules', async (option, value) => {
  await using rig = makeRig()
  expect(await failureOf(() => rig.bus.publish(Tick, { n: 1 }, { [option]: value }))).toMatchObject({
    code: 'EVT_METADATA_INVALID',
    details: { name: option },
  })
})

/** What an object has from elsewhere. */
function inherited(value: object): readonly PropertyKey[] {
  const from = Object.getPrototypeOf(value)
  return from === null ? [] : [...Reflect.ownKeys(from), ...inherited(from)]
}

test('metadata arrives in an object that inherits nothing, and names of Object.prototype are plain names in it', async () => {
  await using rig = makeRig()
  const seen: Readonly<Record<string, string>>[] = []
  await rig.bus.subscribe(Tick, (_tick, { metadata }) => void seen.push(metadata), { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 }, { metadata: { constructor: 'c', toString: 't' } })
  await settle()
  expect(inherited(seen[0]!)).toEqual([])
  expect({ ...seen[0] }).toEqual({ constructor: 'c', toString: 't' })
  expect(inherited(checkMetadata({ a: 'b' }))).toEqual([])
  expect(inherited(readMetadata({ a: 'b' }))).toEqual([])
})

test('a payload with __proto__ reaches the handler without it and changes no prototype', async () => {
  await using rig = makeRig()
  const Loose = defineEvent('rig.loose', { schema: type<Record<string, unknown>>() })
  const merged: Record<string, unknown>[] = []
  await rig.bus.subscribe(Loose, (loose) => void merged.push(Object.assign({}, loose)), { group: 'a' })
  for (const text of [
    '{"__proto__":{"polluted":1}}',
    '{"\\u005f\\u005fproto__":{"polluted":1},"a":[{"__proto__":[]}]}',
  ])
    await smuggle(rig.transport, 'evt.rig.loose', {}, text)
  await settle()
  expect(merged).toHaveLength(2)
  for (const each of merged) expect(Object.getPrototypeOf(each)).toBe(Object.prototype)
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
})

test.each([
  ['nesting without end', '['.repeat(100_000)],
  ['nesting of 65 levels', `{"n":${'['.repeat(65)}${']'.repeat(65)}}`],
  ['invalid UTF-8', Uint8Array.of(0x22, 0xc3, 0x28, 0x22)],
  ['an overlong encoding', Uint8Array.of(0x22, 0xc0, 0x80, 0x22)],
  ['a surrogate in UTF-8', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)],
  ['a NUL', '{"n":1}\0'],
  ['a byte-order mark', '\ufeff{"n":1}'],
  ['a number beyond any', '{"n":1e400}'],
  ['a number of a million digits', `{"n":${'9'.repeat(1_000_000)}}`],
  [
    '100,000 names',
    `{${range(100_000)
      .map((n) => `"k${n}":0`)
      .join()}}`,
  ],
  ['no bytes', ''],
])('a payload of %s is dead-lettered at once, and the next message is handled', async (_what, payload) => {
  const Strict = defineEvent('rig.strict', { schema: z.strictObject({ n: z.number() }) })
  await using rig = makeRig()
  const seen: number[] = []
  await rig.bus.subscribe(Strict, ({ n }) => void seen.push(n), { group: 'a' })
  await smuggle(rig.transport, 'evt.rig.strict', {}, payload)
  await rig.bus.publish(Strict, { n: 7 })
  await settle()
  expect(seen).toEqual([7])
  expect(rig.transport.deadLetters()).toHaveLength(1)
  expect(rig.transport.deadLetters()[0]!.history).toHaveLength(1)
})

test('of a name given twice the last counts, as everywhere in JSON', () => {
  expect(jsonCodec.decode(Buffer.from('{"n":1,"n":2}'))).toEqual({ n: 2 })
})

test('a header that is no text is read as missing or refused by name, whichever it is', () => {
  const good = { 'ce-id': 'a', 'ce-type': 'b', 'ce-source': 'c', 'ce-time': '2026-01-01', 'content-type': 'd' }
  for (const value of [null, 7, {}, []]) {
    expect(readEnvelope({ ...good, 'ce-dataschema': value, 'ce-subject': value } as never)).toMatchObject({
      version: 1,
    })
    expect(() => readEnvelope({ ...good, 'ce-time': value } as never)).toThrow('ce-time')
  }
})

test('a payload larger than the bound is not decoded', async () => {
  let decodes = 0
  const Counted = defineEvent('rig.counted', {
    schema: type<unknown>(),
    codec: {
      ...jsonCodec,
      decode(bytes) {
        decodes += 1
        return jsonCodec.decode(bytes)
      },
    },
  })
  await using rig = makeRig({ bus: { maxPayloadBytes: 1_000 } })
  await rig.bus.subscribe(Counted, () => {}, { group: 'a' })
  await smuggle(rig.transport, 'evt.rig.counted', {}, `"${'x'.repeat(1_000)}"`)
  await settle()
  expect([decodes, rig.transport.deadLetters().length]).toEqual([0, 1])
})

test('a codec is chosen from those the bus knows, whatever the content type says', async () => {
  await using rig = makeRig()
  let runs = 0
  await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
    },
    { group: 'a' },
  )
  for (const contentType of ['../../evil.js', '__proto__', 'constructor', 'application/json; charset=x'])
    await smuggle(rig.transport, 'evt.rig.tick', { 'content-type': contentType })
  await settle()
  expect(runs).toBe(0)
  expect(rig.transport.deadLetters().map(({ history }) => history[0]!.code)).toEqual(
    range(4).map(() => 'EVT_CODEC_UNKNOWN'),
  )
})

test('headers set neither attempt nor any other control: what looks like it is metadata or nothing', async () => {
  // S7
  await using rig = makeRig()
  const seen: unknown[] = []
  await rig.bus.subscribe(
    Tick,
    (_tick, { attempt, consumer, fence, key, lastAttempt, metadata }) =>
      void seen.push({ attempt, consumer, fence, key, lastAttempt, metadata: { ...metadata } }),
    { group: 'a' },
  )
  await smuggle(rig.transport, 'evt.rig.tick', {
    'evt-attempt': '99',
    'evt-consumer': 'other',
    'ce-attempt': '99',
    'ce-partitionkey': 'smuggled',
    'X-Decode-Error': 'yes',
    retry_count: '99',
  })
  await settle()
  expect(seen).toEqual([
    {
      attempt: 1,
      consumer: 'rig/a',
      fence: 1n,
      key: undefined,
      lastAttempt: false,
      metadata: { 'X-Decode-Error': 'yes', retry_count: '99' },
    },
  ])
})

test.each([
  ['a correlation id with a line break', { 'ce-correlationid': 'a\r\nce-id: x' }],
  ['a correlation id without end', { 'ce-correlationid': 'x'.repeat(100_000) }],
  ['a trace parent that is none', { traceparent: 'x\r\ny', tracestate: 'a=1' }],
  ['a trace state without parent', { tracestate: 'a=1' }],
  ['a trace state with a line break', { traceparent, tracestate: 'a\nb' }],
  ['baggage without end', { baggage: 'x'.repeat(10_000) }],
])('%s does not travel on with what the handler publishes', async (_what, headers) => {
  await using rig = makeRig()
  await rig.bus.subscribe(Tick, () => Tock.of({ n: 1 }), { group: 'a' })
  await rig.bus.subscribe(
    Tock,
    () => {
      throw new Error('keep it')
    },
    { group: 'b', retry: { attempts: 1 } },
  )
  await smuggle(rig.transport, 'evt.rig.tick', headers as never)
  await settle()
  const derived = rig.transport.deadLetters()[0]!.headers
  expect(derived['ce-correlationid']).toBe('foreign-1')
  for (const [name, value] of Object.entries(headers))
    if (name !== 'traceparent' || value !== traceparent) expect(derived[name]).not.toBe(value)
  expect(Object.values(derived).join('')).not.toMatch(/[\r\n]/)
})

test.each([
  ['no id', { 'ce-id': '' }, 'ce-id'],
  ['an id with a line break', { 'ce-id': 'a\nb' }, 'ce-id'],
  ['an id without end', { 'ce-id': 'x'.repeat(513) }, 'ce-id'],
  ['no source', { 'ce-source': '' }, 'ce-source'],
  ['another type', { 'ce-type': 'rig.other' }, 'type "rig.other"'],
  ['no content type', { 'content-type': '' }, 'content-type'],
  ['a time that is none', { 'ce-time': 'yesterday' }, 'ce-time'],
])('an envelope with %s is dead-lettered, naming the field', async (_what, headers, field) => {
  await using rig = makeRig()
  await rig.bus.subscribe(Tick, () => {}, { group: 'a', maxAgeMs: 1_000_000_000 })
  await smuggle(rig.transport, 'evt.rig.tick', headers as never)
  await settle()
  const [letter] = rig.transport.deadLetters()
  expect(letter).toMatchObject({ history: [{ code: 'EVT_ENVELOPE_INVALID' }] })
  expect(letter!.reason).toContain(field)
})

test.each([
  ['urn:evt:rig.tick:7', 7],
  ['urn:evt:rig.tick:-1', 1],
  ['urn:evt:rig.tick:1e999', 1],
  ['https://elsewhere/schema', 1],
])('the schema address %s says version %d', (dataSchema, version) => {
  const headers = {
    'ce-id': '1',
    'ce-type': 't',
    'ce-source': '/s',
    'ce-time': '2026-01-01T00:00:00Z',
    'content-type': 'x',
  }
  expect(readEnvelope({ ...headers, 'ce-dataschema': dataSchema }).version).toBe(version)
})

/** A generator with a seed: the same cases every time. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % below
  }
}
const pieces = [
  '',
  '\0',
  '\r\n',
  '\ud800',
  '\ufeff',
  '__proto__',
  'constructor',
  '9'.repeat(400),
  '-0',
  'x'.repeat(20_000),
  '{',
  '😀',
  'é',
]
const names = [
  'ce-id',
  'ce-source',
  'ce-type',
  'ce-time',
  'ce-dataschema',
  'content-type',
  'ce-partitionkey',
  'ce-correlationid',
  'ce-causationid',
  'ce-subject',
  'traceparent',
  'tracestate',
  'baggage',
  'evt-x',
  'x',
  '__proto__',
  'constructor',
]

test('10,000 mangled messages: each is handled or dead-lettered, none ends the process, hangs or changes a prototype', async () => {
  // F20 at a tenth
  const any = seeded(20_260_101)
  const Loose = defineEvent('rig.loose', { schema: type<unknown>() })
  const before = Object.getOwnPropertyNames(Object.prototype)
  await using rig = makeRig({ memory: { maxDeadLetters: 100_000, maxMessages: 100_000, maxBytes: 1_000_000_000 } })
  const subscription = await rig.bus.subscribe(
    Loose,
    (_payload, delivery) => {
      Object.assign({}, delivery.payload, delivery.metadata)
      return [delivery.time.toISOString(), delivery.correlationId].length > 2 ? Tick.of({ n: 1 }) : Tock.of({ n: 1 })
    },
    { group: 'a', retry: { attempts: 1 } },
  )
  const legal = Buffer.from('{"a":[1,{"b":"text"}],"c":null}')
  for (let round = 0; round < 10_000; round += 1) {
    const headers: Record<string, string> = {}
    for (let change = any(4); change > 0; change -= 1) {
      const name = names[any(names.length)]!
      Object.defineProperty(headers, name, { value: pieces[any(pieces.length)]!, enumerable: true, configurable: true })
    }
    let payload = Buffer.from(legal)
    if (any(3) === 0) payload[any(payload.length)] = any(256)
    if (any(5) === 0) payload = payload.subarray(0, any(payload.length))
    if (any(50) === 0) payload = Buffer.from('['.repeat(10_000))
    if (any(20) === 0) payload = Buffer.from(pieces[any(pieces.length)]!)
    await smuggle(rig.transport, 'evt.rig.loose', headers, payload)
  }
  for (let turn = 0; turn < 1_000 && settledBy() < 10_000; turn += 1) await settle()
  function settledBy(): number {
    const { acknowledged, deadLettered } = subscription.stats()
    return acknowledged + deadLettered
  }
  expect(settledBy()).toBe(10_000)
  expect(subscription.stats().acknowledged).toBeGreaterThan(1_000)
  expect(rig.transport.deadLetters().length).toBeGreaterThan(1_000)
  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before)
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  expect(rig.reports).toEqual([])
}, 30_000)

test('headers that are no text reach a dead-letter store as absent, so that every store can keep them', async () => {
  const letters: DeadLetterEntry[] = []
  const deadLetters = deadLetterStore(async (entries) => void letters.push(...entries))
  await using rig = makeRig({ bus: { deadLetters } })
  await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  const odd = { 'ce-id': 5, 'ce-source': ['/a'], 'content-type': { json: true } } as never
  await smuggle(rig.transport, 'evt.rig.tick', odd)
  await settle()
  expect(letters).toMatchObject([{ messageId: undefined, source: undefined, contentType: undefined }])
})
