import { gate } from '@evt/core/conformance'
import { PublishedRows } from '../src/published-rows.ts'

test('a deleted row is remembered while a read is under way, and forgotten with its end', async () => {
  const rows = new PublishedRows(async () => {})
  rows.readBegins()
  rows.remove(['1', '2'])
  await rows.drained()
  expect(rows.has('1') && rows.has('2')).toBe(true)
  rows.readEnds()
  expect(rows.has('1') || rows.has('2')).toBe(false)
  expect(rows.size).toBe(0)
})

test('while no read is under way nothing deleted is remembered, however much is published', async () => {
  const rows = new PublishedRows(async () => {})
  for (let round = 0; round < 100; round += 1) {
    rows.readBegins()
    rows.remove(Array.from({ length: 100 }, (_v, n) => `${round}-${n}`))
    await rows.drained()
    expect(rows.size).toBe(100)
    rows.readEnds()
    rows.remove([`${round}-last`])
    await rows.drained()
    expect(rows.size).toBe(0)
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
  expect(rows.has('1')).toBe(true)
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
