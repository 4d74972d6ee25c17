import { randomFillSync } from 'node:crypto'

const batch = 256
const suffixLength = 17
const random = new Uint8Array(batch * 8)
const text = Buffer.alloc(batch * suffixLength)
const digits = Buffer.from('0123456789abcdef', 'latin1')
let suffixes = ''
let used = batch
let lastMs = 0
let counter = 0
let prefix = ''

// Version and counter, `7000-` to `7fff-`, made as they are needed.
const middles: string[] = []

/**
 * A UUID version 7 that sorts after every earlier one of this process, also when the clock steps back.
 * RFC 9562, section 6.2, method 1: a 12-bit counter in rand_a; when it is full the millisecond is advanced.
 */
export function uuidv7(nowMs: number): string {
  return timeOrderedId(nowMs).toString()
}

/** The same in parts that it shares with its neighbours: what keeps many of them need not keep their text. */
export class TimeOrderedId {
  readonly prefix: string
  readonly suffixes: string
  /** Counter and place among the suffixes. */
  readonly number: number

  /** From the parts of one that was made before. */
  constructor(prefix: string, suffixes: string, number: number) {
    this.prefix = prefix
    this.suffixes = suffixes
    this.number = number
  }
  toString(): string {
    const at = (this.number % batch) * suffixLength
    const middle = (this.number / batch) | 0
    middles[middle] ??= `${(0x7000 | middle).toString(16)}-`
    return this.prefix + middles[middle] + this.suffixes.substring(at, at + suffixLength)
  }
}

export function timeOrderedId(nowMs: number): TimeOrderedId {
  if (nowMs > lastMs) startMillisecond(nowMs)
  else if (counter === 0xfff) startMillisecond(lastMs + 1)
  else counter += 1
  if (used === batch) fillSuffixes()
  const number = counter * batch + used
  used += 1
  return new TimeOrderedId(prefix, suffixes, number)
}

function startMillisecond(ms: number): void {
  lastMs = ms
  counter = 0
  const hex = ms.toString(16).padStart(12, '0')
  prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-`
}

/** Variant and random bits, `8xxx-xxxxxxxxxxxx`, many at once: one string is cheaper than the parts of many. */
function fillSuffixes(): void {
  randomFillSync(random)
  for (let index = 0; index < batch; index += 1) {
    let at = index * suffixLength
    for (let byte = 0; byte < 8; byte += 1) {
      const value = byte === 0 ? 0x80 | (random[index * 8]! & 0x3f) : random[index * 8 + byte]!
      text[at] = digits[value >> 4]!
      text[at + 1] = digits[value & 15]!
      at += 2
      if (byte === 1) {
        text[at] = 0x2d
        at += 1
      }
    }
  }
  suffixes = text.toString('latin1')
  used = 0
}
