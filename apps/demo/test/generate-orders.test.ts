import { generateOrders } from '../src/generate-orders.ts'
import { parseLine } from '../src/parse-line.ts'
import { strikes } from '../src/random.ts'

function tally(lines: Iterable<string>) {
  const seen = new Set<string>()
  const counts = { good: 0, invalid: 0, broken: 0, repeated: 0 }
  for (const line of lines) {
    const parsed = parseLine(line)
    if ('reason' in parsed) counts[parsed.reason === 'not JSON' ? 'broken' : 'invalid'] += 1
    else if (seen.has(parsed.order.id)) counts.repeated += 1
    else {
      seen.add(parsed.order.id)
      counts.good += 1
    }
  }
  return counts
}

test('10,000 lines are 9,700 good ones, 150 that fail the schema, 100 broken ones and 50 repeated ones', () => {
  expect(tally(generateOrders({ count: 10_000, seed: 1 }))).toEqual({
    good: 9_700,
    invalid: 150,
    broken: 100,
    repeated: 50,
  })
})

test('any size begins with a good line', () => {
  for (let count = 1; count <= 300; count += 1) {
    const [first] = generateOrders({ count, seed: count })
    expect(parseLine(first!)).toHaveProperty('order')
  }
})

test('a seed gives the same lines again, another seed gives others', () => {
  const lines = (seed: number) => [...generateOrders({ count: 500, seed })]
  expect(lines(7)).toEqual(lines(7))
  expect(lines(7)).not.toEqual(lines(8))
})

test('what is rejected is told without repeating the line', () => {
  const lines = [...generateOrders({ count: 2_000, seed: 3 }), '{"id":"Ann <ann@example.com>"}', 'Ann', '[1', '']
  const reasons = lines.map(parseLine).flatMap((parsed) => ('reason' in parsed ? [parsed.reason] : []))
  expect(reasons.length).toBeGreaterThan(50)
  for (const reason of reasons) expect(reason).not.toMatch(/ann|@|customer ?\d/i)
})

test('a line that would fill the memory is rejected', () => {
  expect(parseLine(`{"id":"a"}${' '.repeat(2_000_000)}`)).toEqual({ reason: 'longer than 1048576 characters' })
})

test('fate depends on id and purpose alone and strikes about as often as it should', () => {
  const struck = Array.from({ length: 20_000 }, (_nothing, index) => strikes(`order-${index}`, 'x', 0.03))
  expect(struck.filter(Boolean).length / 20_000).toBeCloseTo(0.03, 2)
  expect(strikes('order-1', 'x', 0.5)).toBe(strikes('order-1', 'x', 0.5))
})
