import { createReadStream, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { invalidOption } from '@evt/core'
import { generateOrders } from './generate-orders.ts'
import type { DemoSettings } from './settings.ts'

export interface Line {
  /** From 1; the same line has the same number in every run. */
  readonly number: number
  readonly text: string
}
export interface LineSource {
  /** Names the input: lines are counted once per source and number. */
  readonly name: string
  readonly lines: AsyncIterable<Line> | Iterable<Line>
}
type Input = Pick<DemoSettings, 'orders' | 'count' | 'seed' | 'follow'>

const growthPollMs = 200
/** A longer line is a broken one; it must not fill the memory. */
const maxLineLength = 1_048_576

/** The lines of the sample, of standard input or of a file, which `follow` reads on as it grows. */
export function readLines(input: Input, signal: AbortSignal): LineSource {
  const { orders, count, seed } = input
  if (orders === undefined) return { name: `sample ${count} ${seed}`, lines: numbered(generateOrders({ count, seed })) }
  if (orders === '-') return { name: 'standard input', lines: split(process.stdin, signal) }
  try {
    if (!statSync(orders).isFile()) throw new Error('it is not a file')
  } catch (error) {
    throw invalidOption('--orders', `cannot read "${orders}": ${(error as Error).message}`)
  }
  return { name: `file ${orders}`, lines: split(readFile(orders, input.follow, signal), signal) }
}

function* numbered(texts: Iterable<string>): Generator<Line> {
  let number = 0
  for (const text of texts) {
    number += 1
    yield { number, text }
  }
}

async function* readFile(file: string, follow: boolean, signal: AbortSignal): AsyncGenerator<Buffer> {
  let offset = 0
  for (;;) {
    for await (const chunk of createReadStream(file, { start: offset }) as AsyncIterable<Buffer>) {
      offset += chunk.length
      yield chunk
      if (signal.aborted) return
    }
    if (!follow) return
    await delay(growthPollMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
  }
}

async function* split(chunks: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Line> {
  const decoder = new TextDecoder()
  let number = 0
  let rest = ''
  const stopped = new Promise<{ done: true }>((resolve) => {
    signal.addEventListener('abort', () => resolve({ done: true }), { once: true })
  })
  const iterator = chunks[Symbol.asyncIterator]()
  for (;;) {
    const next = await Promise.race([iterator.next(), stopped])
    if (next.done) break
    rest += decoder.decode(next.value, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop()!
    if (rest.length > maxLineLength) rest = rest.slice(0, maxLineLength)
    for (const text of lines) {
      number += 1
      yield { number, text: text.slice(0, maxLineLength) }
      if (signal.aborted) return
    }
  }
  if (rest !== '' && !signal.aborted) yield { number: number + 1, text: rest }
}
