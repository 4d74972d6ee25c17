import { headersText, payloadBytes, payloadText, StoredText } from '../src/index.ts'

const fields = { transport: 't', id: 'i', topic: 'order.created', key: undefined, payload: Buffer.from('{}') }

test('a message that was kept goes out with the text of its headers as it was kept', () => {
  const text = '{ "ce-id": "i", "__proto__": "kept", "constructor": "c" }'
  const stored = new StoredText(fields, text)
  expect(headersText(stored)).toBe(text)
  expect(payloadText(stored)).toBeUndefined()
  expect(Object.entries(stored.headers)).toEqual([
    ['ce-id', 'i'],
    ['__proto__', 'kept'],
    ['constructor', 'c'],
  ])
  expect(stored.headers.toString).toBeUndefined()
  expect(({} as { kept?: unknown }).kept).toBeUndefined()
})

test.each(['', '{"a":', '[]', '"text"', 'null', '7'])('headers kept as %p are refused', (text) => {
  expect(() => new StoredText(fields, text)).toThrow()
})

test.each([
  '',
  '{',
  '{"a"',
  '{"a":"b"',
  '{"a":"b",}',
  '{"a":"b" "c":"d"}',
  '{a:"b"}',
  '{"a":"b"}}',
  '{"a":"\n"}',
  '{"a":"\\"}',
])('what is no JSON is refused at once, however much like headers it looks: %p', (text) => {
  expect(() => JSON.parse(text)).toThrow()
  expect(() => new StoredText(fields, text)).toThrow()
})

test.each([
  '{"a":"b"}',
  '{"a":"b","c":"d","a":"e"}',
  '{"":""}',
  '{}',
  '{ "a": "b" }',
  '{"a":"\\u00e9\\n","ü":"😀"}',
  '{"a":"\u007f"}',
  `{"a":"${'b'.repeat(100_000)}"}`,
])('headers read as JSON does: %p', (text) => {
  expect({ ...new StoredText(fields, text).headers }).toEqual(JSON.parse(text))
})

test.each([
  ['{"n":1}', 7],
  ['{"é":"日本😀"}', 19],
])(
  'a payload that is text goes out as such, counts as its bytes do, and is bytes to whoever asks: %s',
  (text, bytes) => {
    const stored = new StoredText({ ...fields, payload: text }, '{}')
    expect(payloadText(stored)).toBe(text)
    expect(payloadBytes(stored)).toBe(bytes)
    expect(Buffer.from(stored.payload).toString()).toBe(text)
    expect(stored.payload.byteLength).toBe(bytes)
  },
)

test('a payload that is bytes stays so', () => {
  const stored = new StoredText(fields, '{}')
  expect([payloadBytes(stored), payloadText(stored), stored.payload]).toEqual([2, undefined, fields.payload])
})
