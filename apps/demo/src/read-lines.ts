import { createReadStream, statSync } from 'node:fs'
import { resolve } from 'node:path'
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
  /** The lines that came together. Ends at the end of the input, or soon after the signal. */
  readonly batches: AsyncIterable<readonly Line[]>
}
type Input = Pick<DemoSettings, 'orders' | 'source' | 'count' | 'seed' | 'follow'>

const growthPollMs = 200
const sampleBatch = 500
/** Characters of a line; a longer one is cut behind the next, so that it can be told and does not fill the memory. */
export const maxLineLength = 1_048_576

/** The lines of the sample, of standard input or of a file, which `follow` reads on as it grows. */
export function readLines(input: Input, signal: AbortSignal): LineSource {
  const { orders, count, seed } = input
  const name = (own: string) => input.source ?? own
  if (orders === undefined) return { name: name(`sample ${count} ${seed}`), batches: sample(count, seed) }
  if (orders === '-') return { name: name('standard input'), batches: split(readStandardInput(signal), signal) }
  try {
    if (!statSync(orders).isFile()) throw new Error('it is not a file')
  } catch (error) {
    throw unreadable(orders, error)
  }
  return { name: name(`file ${resolve(orders)}`), batches: split(readFile(orders, input.follow, signal), signal) }
}

async function* sample(count: number, seed: number): AsyncGenerator<readonly Line[]> {
  let lines: Line[] = []
  let number = 0
  for (const text of generateOrders({ count, seed })) {
    number += 1
    lines.push({ number, text })
    if (lines.length === sampleBatch) {
      yield lines
      lines = []
    }
  }
  yield lines
}

async function* readStandardInput(signal: AbortSignal): AsyncGenerator<Buffer> {
  const { stdin } = process
  // Nothing else ends a read that waits for input.
  const stop = () => stdin.destroy()
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    yield* stdin as AsyncIterable<Buffer>
  } catch (error) {
    if (!signal.aborted) throw unreadable('-', error)
  }
}

async function* readFile(file: string, follow: boolean, signal: AbortSignal): AsyncGenerator<Buffer> {
  let offset = 0
  do {
    try {
      for await (const chunk of createReadStream(file, { start: offset }) as AsyncIterable<Buffer>) {
        offset += chunk.length
        yield chunk
        if (signal.aborted) return
      }
    } catch (error) {
      throw unreadable(file, error)
    }
    if (follow) await delay(growthPollMs, undefined, { signal }).catch(() => undefined)
  } while (follow && !signal.aborted)
}

async function* split(chunks: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<readonly Line[]> {
  const decoder = new TextDecoder()
  let number = 0
  let rest = ''
  for await (const chunk of chunks) {
    const texts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = texts.pop()!.slice(0, maxLineLength + 1)
    yield texts.map((text) => {
      number += 1
      return { number, text: text.slice(0, maxLineLength + 1) }
    })
  }
  // What ends at a signal may be half a line.
  if (rest !== '' && !signal.aborted) yield [{ number: number + 1, text: rest }]
}

function unreadable(file: string, error: unknown): Error {
  return invalidOption('--orders', `cannot read "${file}": ${(error as Error).message}`)
}
