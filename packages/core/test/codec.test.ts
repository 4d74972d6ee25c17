import { isEvtError, jsonCodec } from '../src/index.ts'

const bytes = (text: string) => Buffer.from(text, 'utf8')

test('a payload survives the trip through JSON', () => {
  const payload = { id: 'ä', list: [1, null, { deep: true }] }
  expect(jsonCodec.decode(jsonCodec.encode(payload))).toEqual(payload)
  expect(jsonCodec.decode(jsonCodec.encode(undefined))).toBeUndefined()
})

test.each(['{"__proto__":{"polluted":1}}', '{"\\u005f_proto__":{"polluted":1}}'])('%s changes no prototype', (text) => {
  const value = Object.assign({}, jsonCodec.decode(bytes(text)) as object)
  expect((value as { polluted?: number }).polluted).toBeUndefined()
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
})

test.each([
  ['nesting of 65 levels', bytes(`${'['.repeat(65)}${']'.repeat(65)}`)],
  ['nesting of 65 levels, brackets of both kinds', bytes(`${'[{"a":'.repeat(33)}1${'}]'.repeat(33)}`)],
  ['a million open brackets', bytes('['.repeat(1_000_000))],
  ['a million open braces', bytes('{"a":'.repeat(1_000_000))],
  ['truncated JSON', bytes('{"a":')],
  ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['a byte-order mark', bytes('\ufeff{}')],
])('%s is refused with a typed error', (_what, input) => {
  expect.assertions(1)
  try {
    jsonCodec.decode(input)
  } catch (error) {
    expect(isEvtError(error, 'EVT_CODEC_DECODE')).toBe(true)
  }
})

test.each([
  ['64 levels', `${'['.repeat(64)}${']'.repeat(64)}`],
  ['a thousand containers side by side', JSON.stringify(Array.from({ length: 1_000 }, (_value, n) => ({ n: [n] })))],
])('%s are no deep nesting', (_what, text) => {
  expect(JSON.stringify(jsonCodec.decode(bytes(text)))).toBe(text)
})

test('brackets inside strings do not count as nesting', () => {
  expect(jsonCodec.decode(bytes(JSON.stringify('[{\\"'.repeat(100))))).toBe('[{\\"'.repeat(100))
})
