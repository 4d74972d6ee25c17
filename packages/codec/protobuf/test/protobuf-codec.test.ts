import { create, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { isEvtError } from '@evt/core'
import { codecCases } from '@evt/core/conformance'
import { protobufCodec } from '../src/index.ts'
import { AnythingSchema, GroupSchema, type Order, OrderIdSchema, OrderSchema } from './order-messages.ts'

const codec = protobufCodec(OrderSchema)
const full = create(OrderSchema, {
  id: 'ä😀',
  amount: 1.7e308,
  cents: -(2n ** 63n),
  receipt: new Uint8Array([0, 1, 255]),
  deltas: [0, -1, 2 ** 31 - 1, -(2 ** 31)],
  tags: ['a', '', 'x'.repeat(300)],
  notes: { a: 'b', '': 'empty' },
  at: timestampFromDate(new Date(1_700_000_000_123)),
  parent: { id: 'parent', parent: { id: 'grandparent' } },
  payment: { case: 'cash', value: false },
  status: 7,
  crc: 2 ** 32 - 1,
  parts: [{ id: 'one' }, {}],
  byNumber: { 3: { id: 'three' } },
  weights: [0.5, -1],
})
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const codeOf = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return isEvtError(error) ? error.code : error
  }
}

describe('the Protocol Buffers codec keeps what every codec promises:', () => {
  const samples = [full, create(OrderSchema), create(OrderSchema, { payment: { case: 'card', value: '4' } })]
  for (const { name, run } of codecCases(codec, samples, { rounds: 5_000 })) test(name, run)
})

test('it reads what it wrote as the message that a program in another language wrote', () => {
  expect(codec.decode(toBinary(OrderSchema, full))).toEqual(full)
  expect(Buffer.from(codec.encode(full)).equals(toBinary(OrderSchema, full))).toBe(true)
  expect((codec.decode(codec.encode(full)) as Order).$typeName).toBe('shop.Order')
})

test('it takes what create takes', () => {
  expect(codec.decode(codec.encode({ id: 'a', parts: [{ id: 'b' }] }))).toEqual(
    create(OrderSchema, { id: 'a', parts: [{ id: 'b' }] }),
  )
})

test.each([
  ['a message of another type', create(OrderIdSchema, { id: 'a' })],
  ['nothing', undefined],
  ['null', null],
  ['text', 'text'],
  ['text where a number belongs', { cents: 'many' }],
  ['a number that is too large', { crc: 2 ** 32 }],
  ['a map key that would be a prototype', { notes: JSON.parse('{"__proto__":"x"}') }],
])('%s is not written', (_what, payload) => {
  expect(() => codec.encode(payload)).toThrow()
})

test.each([
  ['a tag cut off', '80'],
  ['a field without its value', '18'],
  ['a varint cut off', '18 ff'],
  ['a varint of eleven bytes', `18 ${'ff'.repeat(10)} 01`],
  ['a tag of six bytes', `${'ff'.repeat(5)} 01`],
  ['a length of six bytes', `0a ${'ff'.repeat(5)} 01`],
  ['a field number 0', '00 01'],
  ['a double cut off', '11 00000000'],
  ['a text that promises four gigabytes', '0a ffffffff0f 61'],
  ['bytes that promise more than there are', '22 05 01'],
  ['a message longer than what holds it', '4a 04 4a 05 0a 00 0a 00'],
  ['a packed list longer than what holds it', '4a 03 2a 05 02 02 02 02'],
  ['a packed list cut off within an element', '2a 01 80'],
  ['packed floats cut off', '82 01 03 000000'],
  ['a text where a number belongs', '1a 01 61'],
  ['a number where a text belongs', '08 01'],
  ['a number where a message belongs', '48 01'],
  ['a fixed number where a varint belongs', '19 0000000000000000'],
  ['a number where a list of texts belongs', '30 01'],
  ['a start of a group', '0b 0c'],
  ['an unknown group', 'a3 06 a4 06'],
  ['an end of a group', '0c'],
  ['a wire type that does not exist', '0e'],
  ['a text that is not UTF-8', '0a 02 c3 28'],
  ['a map key __proto__', `3a 0e 0a 09 ${Buffer.from('__proto__').toString('hex')} 12 01 61`],
])('%s is refused', (_what, hex) => {
  expect(codeOf(() => codec.decode(bytes(hex)))).toBe('EVT_CODEC_DECODE')
})

test('messages in each other are read up to 64 levels and refused beyond', () => {
  const nested = (levels: number) => {
    let inner = new Uint8Array(0)
    for (let level = 0; level < levels; level += 1)
      inner = new BinaryWriter().tag(9, WireType.LengthDelimited).bytes(inner).finish() as Uint8Array<ArrayBuffer>
    return inner
  }
  expect(codeOf(() => (codec.decode(nested(64)) as Order).$typeName)).toBe('shop.Order')
  expect(codeOf(() => codec.decode(nested(65)))).toBe('EVT_CODEC_DECODE')
  expect(codeOf(() => codec.decode(nested(20_000)))).toBe('EVT_CODEC_DECODE')
})

test('fields of a newer publisher are dropped, or refused where that is wanted', () => {
  const old = protobufCodec(OrderIdSchema)
  const strict = protobufCodec(OrderIdSchema, { unknownFields: 'refuse' })
  const newer = toBinary(OrderSchema, full)
  expect(old.decode(newer)).toEqual(create(OrderIdSchema, { id: full.id }))
  expect(old.encode(old.decode(newer))).toEqual(old.encode({ id: full.id }))
  expect(codeOf(() => strict.decode(newer))).toBe('EVT_CODEC_DECODE')
  expect(strict.decode(strict.encode({ id: 'a' }))).toEqual(create(OrderIdSchema, { id: 'a' }))
})

test('numbers that are packed and numbers that are not are read alike', () => {
  expect(codec.decode(bytes('28 01 28 02'))).toEqual(codec.decode(bytes('2a 02 01 02')))
})

test('a mebibyte of empty messages does not become a hundred: fields and elements are counted', () => {
  const wide = Buffer.alloc(2 * 1_024 * 1_024)
  for (let at = 0; at < wide.length; at += 2) wide[at] = 0x72
  expect(codeOf(() => codec.decode(wide))).toBe('EVT_CODEC_DECODE')
  const few = protobufCodec(OrderSchema, { maxValues: 3 })
  expect(() => few.encode({ deltas: [1, 2, 3] })).toThrow('more than 3 values')
  expect(few.decode(few.encode({ deltas: [1, 2] }))).toEqual(create(OrderSchema, { deltas: [1, 2] }))
})

test('a Struct, which is read as plain JSON, brings no prototype either', () => {
  const anything = protobufCodec(AnythingSchema)
  const payload = { data: { a: [1, 'b', null, { c: true }] } }
  expect(anything.decode(anything.encode(payload))).toMatchObject(payload)
  expect(() => anything.encode({ data: JSON.parse('{"__proto__":{"x":1}}') })).toThrow()
})

test.each([
  ['an unknown option', () => protobufCodec(OrderSchema, { unknown: true } as never), 'EVT_OPTION_UNKNOWN'],
  ['a wrong value', () => protobufCodec(OrderSchema, { unknownFields: 'keep' as never }), 'EVT_OPTION_INVALID'],
  ['no values at all', () => protobufCodec(OrderSchema, { maxValues: 0 }), 'EVT_OPTION_INVALID'],
  ['no schema', () => protobufCodec(undefined as never), 'EVT_OPTION_INVALID'],
  ['a schema with a group', () => protobufCodec(GroupSchema), 'EVT_OPTION_INVALID'],
])('%s is refused', (_what, work, code) => {
  expect(codeOf(work)).toBe(code)
})
