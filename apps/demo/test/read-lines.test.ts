import { appendFileSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Line, readLines } from '../src/read-lines.ts'

const file = (content: string | Uint8Array) => {
  const path = join(mkdtempSync(join(tmpdir(), 'evt-demo-lines-')), 'orders.ndjson')
  writeFileSync(path, content)
  return path
}
const input = (orders: string, follow = false) => ({ orders, source: undefined, count: 1, seed: 1, follow })
const all = async (path: string) => {
  const lines: Line[] = []
  for await (const some of readLines(input(path), new AbortController().signal).batches) lines.push(...some)
  return lines
}

test('lines are numbered from 1, and the last one needs no line end', async () => {
  expect(await all(file('a\n\nb'))).toEqual([
    { number: 1, text: 'a' },
    { number: 2, text: '' },
    { number: 3, text: 'b' },
  ])
})

test('a file without content has no lines', async () => {
  expect(await all(file(''))).toEqual([])
})

test('characters and lines that are split between two reads are put together', async () => {
  const texts = Array.from({ length: 20_000 }, (_nothing, index) => `${'ä€𝄞'.repeat(index % 7)}${index}`)
  expect((await all(file(texts.join('\n')))).map((line) => line.text)).toEqual(texts)
})

test('a line of any length takes no more memory than the longest allowed, and those behind it keep their numbers', async () => {
  const lines = await all(file(`${'x'.repeat(5_000_000)}\nb\n`))
  expect(lines.map((line) => [line.number, line.text.length])).toEqual([
    [1, 1_048_577],
    [2, 1],
  ])
})

test('a file that is followed gives what is appended, and half a line only once it is whole', async () => {
  const path = file('a\nb')
  const stop = new AbortController()
  const seen: string[] = []
  for await (const some of readLines(input(path, true), stop.signal).batches) {
    seen.push(...some.map((line) => line.text))
    if (seen.length === 1) appendFileSync(path, 'c\nd')
    if (seen.length === 2) stop.abort()
  }
  expect(seen).toEqual(['a', 'bc'])
})
