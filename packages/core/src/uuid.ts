const batch = 256
const suffixLength = 18
// Asking the system for random bytes costs far more than the bytes do.
const random = new Uint8Array(batch * 8 * 8)
let drawn = random.length
const pairs = new Uint16Array((batch * suffixLength) / 2)
const text = Buffer.from(pairs.buffer)
let pairOf: Uint16Array | undefined
let suffixes = ''
let used = batch
let lastMs = 0
let counter = 0
let prefix = ''

// Version and counter, `7000` to `7fff`, made as they are needed.
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
    middles[middle] ??= (0x7000 | middle).toString(16)
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

const bytesOfPair = Buffer.alloc(2)
function pair(characters: string): number {
  bytesOfPair.write(characters, 'latin1')
  // In the machine's own order, whichever that is.
  return new Uint16Array(bytesOfPair.buffer.slice(bytesOfPair.byteOffset, bytesOfPair.byteOffset + 2))[0]!
}
const variants = Array.from('89ab', (digit) => pair(`-${digit}`))
const dashed = Array.from('0123456789abcdef', (digit) => pair(`${digit}-`))

function startMillisecond(ms: number): void {
  lastMs = ms
  counter = 0
  const hex = ms.toString(16).padStart(12, '0')
  prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-`
}

/** Variant and random bits, `-8xxx-xxxxxxxxxxxx`, many at once and two digits at a time. */
function fillSuffixes(): void {
  pairOf ??= Uint16Array.from({ length: 256 }, (_value, byte) => pair(byte.toString(16).padStart(2, '0')))
  if (drawn === random.length) {
    // Fetched at first use: to load it takes a third of the time that importing core may cost.
    process.getBuiltinModule('node:crypto').randomFillSync(random)
    drawn = 0
  }
  for (let index = 0; index < batch; index += 1) {
    const from = drawn + index * 8
    const at = (index * suffixLength) / 2
    pairs[at] = variants[random[from]! & 3]!
    pairs[at + 1] = pairOf[random[from + 1]!]!
    pairs[at + 2] = dashed[random[from]! >> 4]!
    for (let byte = 2; byte < 8; byte += 1) pairs[at + byte + 1] = pairOf[random[from + byte]!]!
  }
  drawn += batch * 8
  suffixes = text.toString('latin1')
  used = 0
}
