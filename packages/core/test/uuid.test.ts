import { uuidv7 } from '../src/index.ts'

test('ids are RFC 9562 version 7 and carry their millisecond', () => {
  const id = uuidv7(8_000_000_000_000)
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(Number.parseInt(id.replace('-', '').slice(0, 12), 16)).toBe(8_000_000_000_000)
})

test('ids of one process only ever grow, also when the clock steps back', () => {
  let last = ''
  for (let index = 0; index < 20_000; index += 1) {
    const id = uuidv7(9_000_000_000_000 - index)
    expect(id > last).toBe(true)
    last = id
  }
})

test('a clock that counts parts of milliseconds makes ids of the same form and order', () => {
  const startMs = Date.now() + 60_000
  const ids = Array.from({ length: 100 }, (_value, n) => uuidv7(startMs + n / 7))
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect([...ids].sort()).toEqual(ids)
})
