import { codecCases } from '../src/conformance/index.ts'
import { type Codec, jsonCodec } from '../src/index.ts'

const samples = [
  { id: 'ä', list: [1, 2, 3] },
  { id: 'ü', list: [4, 5, 6] },
]
const slab = Buffer.alloc(1_024)

/** Codecs that break one promise each, and the words of that promise. */
const wrong: readonly (readonly [string, Partial<Codec>, string])[] = [
  ['loses a field', { encode: (payload) => jsonCodec.encode({ ...(payload as object), id: undefined }) }, 'survives'],
  [
    'writes everything into one buffer',
    {
      encode(payload) {
        const bytes = jsonCodec.encode(payload)
        slab.set(bytes)
        return slab.subarray(0, bytes.length)
      },
    },
    'encoded bytes belong to the caller',
  ],
  [
    'throws what it likes',
    { decode: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')) },
    'bad bytes are EVT_CODEC_DECODE',
  ],
  [
    'merges what it reads into a prototype',
    {
      decode(bytes) {
        const value = jsonCodec.decode(bytes)
        if (typeof value === 'object' && value !== null && !('id' in value))
          Object.assign(Object.prototype, { polluted: 1 })
        return value
      },
    },
    'changes no prototype',
  ],
  [
    'lets the wire choose a prototype',
    {
      decode(bytes) {
        const value = jsonCodec.decode(bytes)
        return typeof value === 'object' && value !== null && !('id' in value) ? Object.create(value) : value
      },
    },
    'prototype is not its own',
  ],
  [
    'writes into the bytes it reads',
    {
      decode(bytes) {
        const value = jsonCodec.decode(bytes)
        bytes[0] = 0
        return value
      },
    },
    'does not write into the bytes',
  ],
  [
    'reads the buffer around its bytes',
    { decode: (bytes) => jsonCodec.decode(new Uint8Array(bytes.buffer)) },
    'not JSON',
  ],
  [
    'takes its time over what it refuses',
    {
      decode(bytes) {
        const started = process.cpuUsage()
        // Busy, as a parser that goes back and forth over its input is.
        if (bytes.length > 1_000_000) while (process.cpuUsage(started).user < 1_100_000);
        return jsonCodec.decode(bytes)
      },
    },
    'within a second',
  ],
]

test.each(wrong)('the codec suite catches a codec that %s', async (_what, broken, promise) => {
  let failure = ''
  for (const { run } of codecCases({ ...jsonCodec, ...broken }, samples, { rounds: 500 })) {
    failure = await run().then(
      () => '',
      (error: Error) => error.message,
    )
    if (failure !== '') break
  }
  Reflect.deleteProperty(Object.prototype, 'polluted')
  expect(failure).toMatch(new RegExp(promise))
})

describe('the JSON codec, with all that it can carry:', () => {
  const carried = [
    { text: 'half a pair: \ud800', left: undefined, deep: [[[{ a: null }]]] },
    [Number.MAX_SAFE_INTEGER, 1.7e308, 5e-324, -0.1],
    undefined,
  ]
  for (const { name, run } of codecCases(jsonCodec, carried)) test(name, run)
})

test('a failure of the codec suite says which bytes it was', async () => {
  const failing: Codec = {
    ...jsonCodec,
    decode(bytes) {
      if (bytes.length < 20) throw new Error('no code')
      return jsonCodec.decode(bytes)
    },
  }
  const [damage] = codecCases(failing, samples, { seed: 7 }).filter(({ name }) => name.startsWith('truncated'))
  await expect(damage!.run()).rejects.toThrow('payload 0 cut off at 0')
})
