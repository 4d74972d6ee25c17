import { headersText, payloadText, StoredText } from '../src/index.ts'

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
