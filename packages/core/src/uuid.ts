const batch = 256
const suffixLength = 18
const bytesEach = 8
// Asking the system for random bytes costs far more than the bytes do.
const random = new Uint8Array(batch * bytesEach * 8)
let drawn = random.length
const pairs = new Uint16Array((batch * suffixLength) / 2)
const text = Buffer.from(pairs.buffer)
let pairOf: Uint16Array | undefined

// Version and counter, `7000` to `7fff`, made as they are needed.
const middles: string[] = []

/** What all ids of one millisecond begin with. */
class Prefix {
  readonly ms: number
  readonly text: string

  constructor(ms: number) {
    const hex = ms.toString(16).padStart(12, '0')
    this.ms = ms
    this.text = `${hex.slice(0, 8)}-${hex.slice(8)}-`
  }
}
/** Variants and random bits of ids that are made one after the other. */
class Suffixes {
  /** Two numbers each. */
  readonly bits: Uint32Array
  /** Eighteen characters each. */
  readonly text: string

  constructor(bits: Uint32Array) {
    this.bits = bits
    this.text = suffixesOf(new Uint8Array(bits.buffer))
  }
}
let prefix = new Prefix(0)
let suffixes: Suffixes | undefined
let used = batch
let counter = 0

/**
 * A UUID version 7 that sorts after every earlier one of this process, also when the clock steps back.
 * RFC 9562, section 6.2, method 1: a 12-bit counter in rand_a; when it is full the millisecond is advanced.
 */
export function uuidv7(nowMs: number): string {
  return timeOrderedId(nowMs).toString()
}

/** The same in parts that it shares with its neighbours, each of them a number for whoever keeps many. */
export class TimeOrderedId {
  readonly #prefix: Prefix
  readonly #suffixes: Suffixes
  /** Counter and place among the suffixes. */
  readonly #number: number

  constructor(prefix: Prefix, suffixes: Suffixes, number: number) {
    this.#prefix = prefix
    this.#suffixes = suffixes
    this.#number = number
  }
  get ms(): number {
    return this.#prefix.ms
  }
  get counter(): number {
    return (this.#number / batch) | 0
  }
  /** The first half of its random bits. */
  get high(): number {
    return this.#suffixes.bits[(this.#number % batch) * 2]!
  }
  get low(): number {
    return this.#suffixes.bits[(this.#number % batch) * 2 + 1]!
  }
  toString(): string {
    const at = (this.#number % batch) * suffixLength
    const { counter } = this
    middles[counter] ??= (0x7000 | counter).toString(16)
    return this.#prefix.text + middles[counter] + this.#suffixes.text.substring(at, at + suffixLength)
  }
}

export function timeOrderedId(nowMs: number): TimeOrderedId {
  // A clock may count parts of a millisecond.
  const wholeMs = Math.floor(nowMs)
  if (wholeMs > prefix.ms) startMillisecond(wholeMs)
  else if (counter === 0xfff) startMillisecond(prefix.ms + 1)
  else counter += 1
  if (suffixes === undefined || used === batch) suffixes = drawSuffixes()
  const number = counter * batch + used
  used += 1
  return new TimeOrderedId(prefix, suffixes, number)
}

/** An id that was made before, from its parts. */
export function sameTimeOrderedId(ms: number, counter: number, high: number, low: number): TimeOrderedId {
  return new TimeOrderedId(new Prefix(ms), new Suffixes(Uint32Array.of(high, low)), counter * batch)
}

function startMillisecond(ms: number): void {
  prefix = new Prefix(ms)
  counter = 0
}
function drawSuffixes(): Suffixes {
  if (drawn === random.length) {
    // Fetched at first use: to load it takes a third of the time that importing core may cost.
    process.getBuiltinModule('node:crypto').randomFillSync(random)
    drawn = 0
  }
  const bytes = random.slice(drawn, drawn + batch * bytesEach)
  drawn += bytes.length
  used = 0
  return new Suffixes(new Uint32Array(bytes.buffer))
}

const bytesOfPair = Buffer.alloc(2)
function pair(characters: string): number {
  bytesOfPair.write(characters, 'latin1')
  // In the machine's own order, whichever that is.
  return new Uint16Array(bytesOfPair.buffer.slice(bytesOfPair.byteOffset, bytesOfPair.byteOffset + 2))[0]!
}
const variants = Array.from('89ab', (digit) => pair(`-${digit}`))
const dashed = Array.from('0123456789abcdef', (digit) => pair(`${digit}-`))

/** `-8xxx-xxxxxxxxxxxx` of every eight bytes, two digits at a time. */
function suffixesOf(bytes: Uint8Array): string {
  pairOf ??= Uint16Array.from({ length: 256 }, (_value, byte) => pair(byte.toString(16).padStart(2, '0')))
  let at = 0
  for (let from = 0; from < bytes.length; from += bytesEach) {
    pairs[at] = variants[bytes[from]! & 3]!
    pairs[at + 1] = pairOf[bytes[from + 1]!]!
    pairs[at + 2] = dashed[bytes[from]! >> 4]!
    for (let byte = 2; byte < bytesEach; byte += 1) pairs[at + byte + 1] = pairOf[bytes[from + byte]!]!
    at += suffixLength / 2
  }
  return text.toString('latin1', 0, at * 2)
}
