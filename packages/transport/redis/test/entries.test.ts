import { readEntry } from '../src/entries.ts'

// S4: the headers of an entry are whatever somebody wrote. Those that end as core ends them are read a shorter way.

const ends = [
  ',"ce-time":"2026-11-25T14:00:00.000Z","ce-id":"1"}',
  ',"ce-time":"","ce-id":""}',
  ',"ce-time":"a\\"b","ce-id":"1"}',
  ',"ce-time":"a","ce-id":"\\u0031"}',
  ',"ce-time":"a\u0000b","ce-id":"1"}',
  ',"ce-time":"a","ce-id":"\u007f"}',
  ',"ce-time":"ä","ce-id":"💠"}',
  ',"ce-time":"a","ce-id":"1"} ',
  ',"ce-time":"a","ce-id":"1"}}',
  ',"ce-time":"a","ce-id":1}',
  ',"ce-time":"a","ce-id":"1","ce-partitionkey":"k"}',
  ',"ce-time":"a","ce-id":"1","ce-time":"b","ce-id":"2"}',
  '}',
  '',
]
const starts = [
  '{"ce-type":"a"',
  '{"ce-type":"a","content-type":"b"',
  '{"ce-type":1',
  '{"ce-type":{"a":"b"',
  '{"ce-type":"a,"ce-time":"b"',
  '{"ce-type":"\\",\\"ce-time\\":\\"b\\""',
  '{"ce-id":"other"',
  '{"__proto__":"a","constructor":"b"',
  '{"__proto__":{"a":"b"}',
  '["a"',
  '"a"',
  'no json',
  '',
]

/** What JSON makes of a text, where it is an object of texts. */
function asJson(text: string): readonly (readonly [string, string])[] {
  try {
    const parsed: unknown = JSON.parse(text)
    const entries = typeof parsed === 'object' ? Object.entries(parsed as object) : []
    return entries.every(([, value]) => typeof value === 'string') ? entries.sort() : []
  } catch {
    return []
  }
}
function headersOf(text: string): object {
  return readEntry([Buffer.from('headers'), Buffer.from(text)]).headers
}

test.each(starts)('headers that begin with %j mean what they mean as JSON, however they end', (start) => {
  for (const end of ends) {
    const texts = [start + end, `{"ce-type":"another"${end}`, start + end]
    for (const text of texts) expect([text, Object.entries(headersOf(text)).sort()]).toEqual([text, asJson(text)])
  }
})

test('headers inherit nothing, whichever way they were read', () => {
  for (const end of ends) {
    const headers = headersOf(starts[0] + end) as Record<string, unknown>
    expect([headers.toString, headers.constructor, headers.hasOwnProperty]).toEqual([undefined, undefined, undefined])
  }
})

test('what one message brings for itself never reaches another', () => {
  const end = ',"ce-time":"a","ce-id":"1"}'
  const first = headersOf(`{"ce-type":"a"${end}`) as Record<string, string>
  first['ce-type'] = 'changed'
  first.added = 'b'
  expect(headersOf(`{"ce-type":"a"${end}`)).toEqual({ 'ce-type': 'a', 'ce-time': 'a', 'ce-id': '1' })
})
