import { gate } from '@evt/core/conformance'
import { PublishedRows } from '../src/published-rows.ts'

test('a burst knows what was under way, published or being deleted before it, and a row deleted meanwhile stays known to it', async () => {
  const deleting = gate()
  const rows = new PublishedRows(() => deleting.opened)
  rows.begin('1')
  rows.remove(['2'])
  await Promise.resolve()
  await Promise.resolve()
  rows.remove(['3'])
  const known = rows.known()
  deleting.open()
  await rows.drained()
  rows.end('1')
  expect([...known].sort()).toEqual(['1', '2', '3'])
  expect(rows.known().size).toBe(0)
})

test('nothing deleted is remembered, however much is published', async () => {
  const rows = new PublishedRows(async () => {})
  for (let round = 0; round < 100; round += 1) {
    rows.remove(Array.from({ length: 100 }, (_v, n) => `${round}-${n}`))
    await rows.drained()
    expect(rows.known().size).toBe(0)
  }
})

test('rows that could not be deleted stay known and are deleted with the next', async () => {
  const deleted: string[][] = []
  let down = true
  const rows = new PublishedRows(async (positions) => {
    if (down) throw new Error('down')
    deleted.push([...positions])
  })
  rows.remove(['1'])
  await expect(rows.drained()).rejects.toThrow('down')
  expect(rows.known().has('1')).toBe(true)
  down = false
  rows.remove(['2'])
  await rows.drained()
  expect(deleted).toEqual([['1', '2']])
})

test('one delete is under way at a time, and what is published meanwhile goes with the next', async () => {
  const first = gate()
  const deleted: string[][] = []
  const rows = new PublishedRows(async (positions) => {
    deleted.push([...positions])
    if (deleted.length === 1) await first.opened
  })
  rows.remove(['1'])
  await Promise.resolve()
  await Promise.resolve()
  rows.remove(['2'])
  rows.remove(['3'])
  first.open()
  await rows.drained()
  expect(deleted).toEqual([['1'], ['2', '3']])
})
