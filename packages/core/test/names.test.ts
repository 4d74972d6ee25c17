import { checkName, encodeTopic, isEvtError } from '../src/index.ts'

const illegal = [
  '',
  ' ',
  'a b',
  'a\r\nPUB x 1',
  'a.*',
  'a.>',
  '.a',
  'a.',
  'a..b',
  'a\0',
  'a\n',
  '\na',
  'a\t',
  'a\u007f',
  'ä',
  'a/b',
  'a{b}',
  "a'b",
  'x'.repeat(201),
]

test.each(illegal)('the name %j is refused and named', (name) => {
  let error: unknown
  try {
    checkName('event', name)
  } catch (thrown) {
    error = thrown
  }
  expect(isEvtError(error, 'EVT_NAME_INVALID')).toBe(true)
  expect((error as Error).message).not.toMatch(/[\r\n\0]/)
})

test('10,000 random byte strings yield no accepted name outside the alphabet', () => {
  let seed = 7
  const next = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed
  }
  for (let round = 0; round < 10_000; round += 1) {
    const name = String.fromCharCode(...Array.from({ length: 1 + (next() % 8) }, () => next() % 256))
    try {
      checkName('event', name)
    } catch {
      continue
    }
    expect(name).toMatch(/^[A-Za-z0-9_.-]+$/)
  }
})

test('distinct names have distinct topics, legal on every broker', () => {
  const names = ['a.b', 'a-b', 'a_b', 'a--b', 'a-2eb', 'a.b-c', 'A.b']
  const topics = names.map((name) => encodeTopic('evt', name))
  expect(new Set(topics).size).toBe(names.length)
  for (const topic of topics) expect(topic).toMatch(/^[A-Za-z0-9.-]+$/)
})
