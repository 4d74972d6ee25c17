import { type Codec, defineEvent, jsonCodec, StoredText, type Transport, type } from '../src/index.ts'
import { makeRig, type RigOptions, range, smuggle, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

/** Straight from the memory transport to the handler, and read, leased and settled as from any other. */
const ways: readonly (readonly [string, RigOptions])[] = [
  ['run straight from the memory transport', {}],
  ['read and leased', { wrap: (memory) => ({ ...memory }) }],
]

/** Puts a message on a topic as a relay does that has its text from a database. */
async function relay(transport: Transport, topic: string, payload: string, headers = {}, id = 'i'): Promise<void> {
  const legal = {
    'ce-id': id,
    'ce-type': topic.slice('evt.'.length),
    'ce-source': '/s',
    'ce-time': '2026-01-01T00:00:00.000Z',
    'content-type': 'application/json',
    ...headers,
  }
  const stored = new StoredText({ transport: 'memory', id, topic, key: 'k', payload }, JSON.stringify(legal))
  expect(await transport.publish([stored])).toEqual([])
}

afterEach(() => jest.restoreAllMocks())

for (const [way, options] of ways) {
  describe(way, () => {
    test('the text of an outbox reaches a handler without ever becoming bytes', async () => {
      const bytes = jest.spyOn(StoredText.prototype, 'payload', 'get')
      await using rig = makeRig(options)
      const seen: unknown[] = []
      await rig.bus.subscribe(Tick, (tick, { id, key, metadata }) => void seen.push([tick, id, key, { ...metadata }]), {
        group: 'a',
      })
      await relay(rig.transport, 'evt.rig.tick', '{"n":1,"text":"日本😀"}', { note: 'n' })
      await settle()
      expect(seen).toEqual([[{ n: 1, text: '日本😀' }, 'i', 'k', { note: 'n' }]])
      expect(bytes).not.toHaveBeenCalled()
    })

    test('what one handler does to its payload no other one sees, nor does its own next run', async () => {
      await using rig = makeRig(options)
      const seen: unknown[] = []
      const spoil = (tick: { n: number }, { consumer, attempt }: { consumer: string; attempt: number }) => {
        seen.push([consumer, attempt, tick.n])
        tick.n += 1
        if (attempt === 1) throw new Error('again')
      }
      const Loose = defineEvent('rig.tick', { schema: type<{ n: number }>() })
      for (const group of ['a', 'b'])
        await rig.bus.subscribe(Loose, spoil, { group, retry: { attempts: 2, backoff: { minMs: 100, jitter: false } } })
      await relay(rig.transport, 'evt.rig.tick', '{"n":1}')
      await rig.clock.advance(1_000)
      const consumers = ['rig/a', 'rig/b'].flatMap((group) => [1, 2].map((attempt) => [group, attempt, 1]))
      expect(seen.sort()).toEqual(consumers)
    })

    test('a codec of its own is handed bytes, also where it calls them JSON', async () => {
      const handed: unknown[] = []
      const codecOf = (contentType: string): Codec => ({
        contentType,
        encode: jsonCodec.encode,
        decode(bytes) {
          handed.push([contentType, bytes instanceof Uint8Array, Buffer.from(bytes).toString()])
          return { n: 1 }
        },
      })
      await using rig = makeRig(options)
      for (const [name, contentType] of [
        ['rig.json', 'application/json'],
        ['rig.other', 'text/x-other'],
      ] as const) {
        const Own = defineEvent(name, { schema: type<{ n: number }>(), codec: codecOf(contentType) })
        await rig.bus.subscribe(Own, () => {}, { group: 'a' })
        await relay(rig.transport, `evt.${name}`, '"é日"', { 'content-type': contentType })
      }
      await settle()
      expect(handed).toEqual([
        ['application/json', true, '"é日"'],
        ['text/x-other', true, '"é日"'],
      ])
    })

    test.each([
      ['no JSON', '{"n":1', 'EVT_CODEC_DECODE'],
      ['nothing', '', undefined],
      ['a byte-order mark', '\ufeff{"n":1}', 'EVT_CODEC_DECODE'],
      ['a NUL', '{"n":1}\0', 'EVT_CODEC_DECODE'],
      ['nesting of 65 levels', `{"n":${'['.repeat(65)}${']'.repeat(65)}}`, 'EVT_CODEC_DECODE'],
      ['nesting without end', '['.repeat(100_000), 'EVT_CODEC_DECODE'],
      ['__proto__', '{"n":1,"__proto__":{"polluted":1}}', undefined],
      ['__proto__, escaped', '{"n":1,"\\u005f_proto__":{"polluted":1}}', undefined],
      [
        'a text whose bytes are one more than its characters and than allowed',
        `"${'x'.repeat(997)}é"`,
        'EVT_ENVELOPE_INVALID',
      ],
      ['a text of as many bytes as are allowed', `"${'x'.repeat(996)}é"`, undefined],
    ])('%s comes to the same as its bytes would', async (_what, payload, code) => {
      const Anything = defineEvent('rig.anything', { schema: type<unknown>() })
      const largest = payload.startsWith('"') ? 1_000 : 1_000_000
      await using rig = makeRig({ ...options, bus: { maxPayloadBytes: largest } })
      const seen: unknown[] = []
      await rig.bus.subscribe(Anything, (anything) => void seen.push(anything), { group: 'a' })
      await relay(rig.transport, 'evt.rig.anything', payload)
      await smuggle(rig.transport, 'evt.rig.anything', {}, payload)
      await settle()
      const letters = rig.transport.deadLetters()
      expect(letters.map(({ history }) => history[0]!.code)).toEqual(code === undefined ? [] : [code, code])
      expect(seen).toHaveLength(code === undefined ? 2 : 0)
      expect(seen[0]).toEqual(seen[1])
      for (const each of seen) if (typeof each === 'object') expect('polluted' in each!).toBe(false)
      // A dead letter keeps what came, byte by byte.
      for (const letter of letters) expect(Buffer.from(letter.payload).toString()).toBe(payload)
    })

    test('a group that comes late is given the same again, among messages that did not come out of an outbox', async () => {
      await using rig = makeRig({ ...options, memory: { maxMessages: 40 } })
      const seen: Record<string, unknown[]> = { early: [], late: [] }
      const keep = (group: string) =>
        rig.bus.subscribe(
          Tick,
          ({ n }, { id, key, metadata, position }) =>
            void seen[group]!.push([n, n % 3 === 0 ? '' : id, key, { ...metadata }, position]),
          { group, ordered: 'none' },
        )
      await keep('early')
      for (const n of range(100)) {
        if (n % 3 === 0) await rig.bus.publish(Tick, { n })
        else if (n % 3 === 1) await relay(rig.transport, 'evt.rig.tick', `{"n":${n}}`, { note: `${n}` }, `i-${n}`)
        else await smuggle(rig.transport, 'evt.rig.tick', { note: `${n}`, 'ce-id': `i-${n}` }, `{"n":${n}}`)
        await settle()
      }
      await keep('late')
      await settle()
      expect(seen.early).toHaveLength(100)
      expect(seen.late).toEqual(seen.early!.slice(60))
    })
  })
}

test('a memory group counts the bytes of text, not its characters', async () => {
  await using rig = makeRig({ memory: { maxBytes: 10, overflow: 'dropNewest' } })
  await rig.bus.subscribe(Tick, () => new Promise(() => {}), { group: 'a' })
  await relay(rig.transport, 'evt.rig.tick', '"日"')
  await relay(rig.transport, 'evt.rig.tick', '"日"', {}, 'second')
  expect(rig.transport.dropped).toBe(0)
  await relay(rig.transport, 'evt.rig.tick', '""', {}, 'third')
  expect(rig.transport.dropped).toBe(1)
})
