import type { Fetched, KafkaRecord } from '../client.ts'
import { ByteReader } from './byte-reader.ts'
import { decompress } from './decompress.ts'
import type { FetchedPartition } from './requests.ts'

const batchHeaderBytes = 61
const codecBits = 0x07
const appendTimeBit = 0x08
const transactionBit = 0x10
const controlBit = 0x20

/**
 * The records of a fetched partition from an offset on, without control records and aborted transactions.
 * Source: the Kafka protocol guide, "Record Batch".
 */
export async function readRecords(data: FetchedPartition, from: number): Promise<Fetched> {
  const isAborted = abortedBatches(data)
  const records: KafkaRecord[] = []
  const reader = new ByteReader(data.batches)
  let next = from
  while (reader.end - reader.at >= batchHeaderBytes) {
    const firstOffset = reader.int64()
    const length = reader.int32()
    const bodyAt = reader.at
    // The last batch ends where the fetch was full: the next fetch begins with it.
    if (length > reader.end - bodyAt) break
    if (length < batchHeaderBytes - 12) throw new Error('a batch in the answer of the broker is too short')
    reader.int32()
    const format = reader.int8()
    if (format !== 2) throw new Error(`records of format ${format} are older than Kafka 0.11 and cannot be read`)
    reader.int32()
    const attributes = reader.int16()
    const lastOffset = firstOffset + reader.int32()
    const firstMs = reader.int64()
    const lastMs = reader.int64()
    const producerId = reader.bigInt64()
    // Its epoch and sequence.
    reader.take(6)
    const count = reader.int32()
    const isControl = (attributes & controlBit) !== 0
    const skipped = isAborted(producerId, lastOffset, (attributes & transactionBit) !== 0, isControl)
    if (lastOffset >= from) next = lastOffset + 1
    if (!skipped && !isControl && lastOffset >= from) {
      const codec = attributes & codecBits
      const body = reader.bytes.subarray(reader.at, bodyAt + length)
      const parts = { firstOffset, firstMs, appendMs: (attributes & appendTimeBit) === 0 ? undefined : lastMs, from }
      readBatch(records, codec === 0 ? body : await decompress(codec, body), count, parts)
    }
    reader.at = bodyAt + length
  }
  return { records, next, end: data.end }
}

interface BatchParts {
  readonly firstOffset: number
  readonly firstMs: number
  /** Undefined: each record has a time of its own. */
  readonly appendMs: number | undefined
  readonly from: number
}

function readBatch(records: KafkaRecord[], body: Buffer, count: number, parts: BatchParts): void {
  const { firstOffset, firstMs, appendMs, from } = parts
  const texts = new Texts(body)
  const { reader } = texts
  for (let index = 0; index < count; index += 1) {
    const length = reader.varint()
    const at = reader.take(length)
    const end = reader.at
    reader.at = at + 1
    const timestampMs = firstMs + reader.varlong()
    const offset = firstOffset + reader.varint()
    // A batch is fetched whole, also what stands in it before the offset asked for.
    if (offset >= from) {
      const keyAt = reader.at
      reader.take(Math.max(0, reader.varint()))
      const valueLength = reader.varint()
      const valueAt = reader.take(Math.max(0, valueLength))
      const places = { keyAt, valueAt, valueLength, headersAt: reader.at }
      records.push(new BatchRecord(offset, appendMs ?? timestampMs, end - keyAt, texts, places))
    }
    reader.at = end
  }
}

interface Places {
  readonly keyAt: number
  readonly valueAt: number
  /** Negative: there is none. */
  readonly valueLength: number
  readonly headersAt: number
}

/** A record whose texts are made when they are asked for: thousands wait, and what waits is copied by every collection. */
class BatchRecord implements KafkaRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly bytes: number
  readonly #texts: Texts
  readonly #keyAt: number
  readonly #valueAt: number
  readonly #valueLength: number
  readonly #headersAt: number

  constructor(offset: number, timestampMs: number, bytes: number, texts: Texts, places: Places) {
    this.offset = offset
    this.timestampMs = timestampMs
    this.bytes = bytes
    this.#texts = texts
    this.#keyAt = places.keyAt
    this.#valueAt = places.valueAt
    this.#valueLength = places.valueLength
    this.#headersAt = places.headersAt
  }
  get key(): string | null {
    return this.#texts.key(this.#keyAt)
  }
  get value(): Uint8Array | null {
    return this.#valueLength < 0
      ? null
      : this.#texts.reader.bytes.subarray(this.#valueAt, this.#valueAt + this.#valueLength)
  }
  get headers(): readonly string[] {
    return this.#texts.headers(this.#headersAt)
  }
}

const longestCompared = 256

/**
 * Texts of the records of a batch. Most headers of a record are those of the one before: comparing bytes costs a tenth of
 * making a string.
 */
class Texts {
  readonly reader: ByteReader
  readonly #starts: number[] = []
  readonly #lengths: number[] = []
  readonly #texts: string[] = []

  constructor(body: Buffer) {
    this.reader = new ByteReader(body)
  }
  key(at: number): string | null {
    this.reader.at = at
    return this.#read(0)
  }
  headers(at: number): readonly string[] {
    const headers: string[] = []
    const { reader } = this
    reader.at = at
    try {
      const count = reader.varint()
      for (let place = 1; place < count * 2; place += 2) {
        const name = this.#read(place)
        const value = this.#read(place + 1)
        // One that is null is as good as none.
        if (name !== null && value !== null) headers.push(name, value)
      }
    } catch {
      // Cut off, which no broker lets pass: what could be read decides what becomes of the message.
    }
    return headers
  }
  /** Null where there is none. The place tells which text of the record before it is like. */
  #read(place: number): string | null {
    const { reader } = this
    const length = reader.varint()
    if (length <= 0) return length < 0 ? null : ''
    const at = reader.take(length)
    if (this.#lengths[place] === length && this.#isSame(this.#starts[place]!, at, length)) return this.#texts[place]!
    const text = reader.bytes.toString('utf8', at, at + length)
    this.#starts[place] = at
    this.#lengths[place] = length
    this.#texts[place] = text
    return text
  }
  #isSame(one: number, other: number, length: number): boolean {
    const { bytes } = this.reader
    if (length > longestCompared) return false
    for (let index = 0; index < length; index += 1) if (bytes[one + index] !== bytes[other + index]) return false
    return true
  }
}

/** Tells batches of aborted transactions. Asked in order, once for each batch. */
function abortedBatches({
  aborted,
}: FetchedPartition): (producerId: bigint, lastOffset: number, inTransaction: boolean, isControl: boolean) => boolean {
  if (aborted.length === 0) return () => false
  const waiting = [...aborted].sort((left, right) => left.firstOffset - right.firstOffset)
  const aborting = new Set<bigint>()
  return (producerId, lastOffset, inTransaction, isControl) => {
    while (waiting.length > 0 && waiting[0]!.firstOffset <= lastOffset) aborting.add(waiting.shift()!.producerId)
    if (!aborting.has(producerId)) return false
    if (isControl) aborting.delete(producerId)
    return inTransaction
  }
}
