import { spawnSync } from 'node:child_process'
import { isEvtError, jsonCodec } from '@evt/core'
import { codecCases } from '@evt/core/conformance'
import { msgpackCodec } from '../src/index.ts'

const codec = msgpackCodec()
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const codeOf = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return isEvtError(error) ? error.code : error
  }
}

describe('the MessagePack codec keeps what every codec promises:', () => {
  const samples = [
    { id: 'ä😀', list: [1, null, { deep: true }], left: undefined, empty: {}, none: [] },
    { at: new Date(1_700_000_000_123), long: new Date(8.64e15), before: new Date(-1e13) },
    { bytes: new Uint8Array([0, 1, 255]), nothing: new Uint8Array(0) },
    { big: 2n ** 64n - 1n, small: -(2n ** 63n), five: 5n },
    [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 1.7e308, 5e-324, -1, 0.1, Number.NaN, Number.NEGATIVE_INFINITY],
    { text: 'x'.repeat(70_000), ascii: 'y'.repeat(40), mixed: `${'z'.repeat(300)}ü` },
    Object.fromEntries(Array.from({ length: 70_000 }, (_value, index) => [`key${index}`, index])),
    undefined,
    null,
    'text',
    -7,
  ]
  for (const { name, run } of codecCases(codec, samples, { rounds: 5_000 })) test(name, run)
})

test.each([
  ['no bytes', ''],
  ['a byte that starts nothing', 'c1'],
  ['two values', '01 02'],
  ['a text cut off', 'a3 61 62'],
  ['an array that promises four billion values', 'dd ffffffff 01'],
  ['a map that promises four billion entries', 'df ffffffff a1 61 01'],
  ['a text that promises four gigabytes', 'db ffffffff 61'],
  ['bytes that promise four gigabytes', 'c6 ffffffff 61'],
  ['an extension that promises four gigabytes', 'c9 ffffffff 00 61'],
  ['a text that is not UTF-8', 'a2 c3 28'],
  ['a key that is an array', '81 91 01 01'],
  ['a key that is nil', '81 c0 01'],
  ['65 arrays in each other', `${'91'.repeat(65)}01`],
  ['65 maps in each other', `${'81a161'.repeat(65)}01`],
  ['a million open arrays', '91'.repeat(1_000_000)],
  ['a record definition, which would be compiled', 'd4 72 40 91 a1 61 01'],
  ['a reference to a structure', 'd6 69 00000001 90'],
  ['a pointer to a structure', 'd6 70 00000001'],
  ['bundled texts', 'd6 62 00000009 a1 61 a1 62'],
  ['an error', 'd4 65 00 93 a5 4572726f72 a1 78 c0'],
  ['a regular expression', 'd4 78 00 92 a1 61 a0'],
  ['a set', 'd4 73 00 91 01'],
  ['a typed array', 'd5 74 01 00'],
  ['an integer of any size', 'c7 09 42 010000000000000000'],
  ['a timestamp of two bytes', 'd5 ff 0000'],
  ['an extension of somebody else', 'd4 05 00'],
])('%s is refused', (_what, hex) => {
  expect(codeOf(() => codec.decode(bytes(hex)))).toBe('EVT_CODEC_DECODE')
})

test('a key __proto__ is refused wherever it stands, and written by nobody', () => {
  const key = `a9${Buffer.from('__proto__').toString('hex')}`
  expect(codeOf(() => codec.decode(bytes(`81 ${key} 81 a1 78 01`)))).toBe('EVT_CODEC_DECODE')
  expect(codeOf(() => codec.decode(bytes(`81 a1 61 81 ${key} 01`)))).toBe('EVT_CODEC_DECODE')
  expect(codeOf(() => codec.decode(bytes(`81 d9 09 ${key.slice(2)} 01`)))).toBe('EVT_CODEC_DECODE')
  expect(() => codec.encode(JSON.parse('{"__proto__":1}'))).toThrow('__proto__')
  expect(codec.decode(bytes(`81 a1 61 ${key}`))).toEqual({ a: '__proto__' })
})

test('a mebibyte of empty maps does not become a hundred: the values of a payload are counted', () => {
  const wide = Buffer.concat([bytes('dd 00200000'), Buffer.alloc(0x200000, 0x80)])
  expect(codeOf(() => codec.decode(wide))).toBe('EVT_CODEC_DECODE')
  const few = msgpackCodec({ maxValues: 4 })
  expect(few.decode(few.encode([1, 2, 3]))).toEqual([1, 2, 3])
  expect(() => few.encode([1, 2, 3, 4])).toThrow('more than 4 values')
  expect(codeOf(() => few.decode(codec.encode([1, 2, 3, 4])))).toBe('EVT_CODEC_DECODE')
})

test('what would not be read again is not written', () => {
  let deep: unknown = 1
  for (let level = 0; level < 65; level += 1) deep = [deep]
  expect(() => codec.encode(deep)).toThrow('nested deeper than 64 levels')
  expect(() => codec.encode(new Date(Number.NaN))).toThrow('extension type -1')
  expect(() => codec.encode(2n ** 64n)).toThrow('a bigint has more than 64 bits')
  expect(() => codec.encode(Symbol('s'))).toThrow()
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  expect(() => codec.encode(cycle)).toThrow()
  // The library goes on after a failure.
  expect(codec.decode(codec.encode({ a: 1 }))).toEqual({ a: 1 })
})

test('integers of 64 bits arrive as bigints, or as numbers where they are exact', () => {
  const numbers = msgpackCodec({ int64: 'number' })
  const timestamp = bytes('cf 0000018bcfe56800')
  expect(codec.decode(timestamp)).toBe(1_700_000_000_000n)
  expect(numbers.decode(timestamp)).toBe(1_700_000_000_000)
  expect(numbers.decode(bytes('cf ffffffffffffffff'))).toBe(2n ** 64n - 1n)
  expect(numbers.decode(bytes('d3 ffffffffffffffff'))).toBe(-1)
})

test('keys that are integers, as other languages write them, become names', () => {
  expect(codec.decode(bytes('82 01 a1 61 cd 0100 a1 62'))).toEqual({ 1: 'a', 256: 'b' })
})

test.each([
  ['an unknown option', { useRecords: true }, 'EVT_OPTION_UNKNOWN'],
  ['a wrong int64', { int64: 'string' }, 'EVT_OPTION_INVALID'],
  ['no values at all', { maxValues: 0 }, 'EVT_OPTION_INVALID'],
  ['no object', 7, 'EVT_OPTION_INVALID'],
])('%s is refused', (_what, options, code) => {
  expect(codeOf(() => msgpackCodec(options as never))).toBe(code)
})

test('another codec of the allow-list does not read its bytes', () => {
  expect(codeOf(() => jsonCodec.decode(codec.encode({ a: 1 })))).toBe('EVT_CODEC_DECODE')
})

test('it works where code may not be made out of text', () => {
  const script = `
    const { Packr } = require(${JSON.stringify(require.resolve('msgpackr'))})
    const packr = new Packr({ useRecords: false, variableMapSize: true })
    process.stdout.write(JSON.stringify(packr.unpack(packr.pack({ a: [1, 'b'] }))))`
  const run = spawnSync(process.execPath, ['--disallow-code-generation-from-strings', '-e', script], {
    encoding: 'utf8',
  })
  expect(run.stdout).toBe('{"a":[1,"b"]}')
})
