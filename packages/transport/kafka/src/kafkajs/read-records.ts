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
  const reader = new ByteReader(body)
  const texts = new Texts(reader)
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
      const key = texts.read(0)
      const valueLength = reader.varint()
      const valueAt = valueLength < 0 ? 0 : reader.take(valueLength)
      const value = valueLength < 0 ? null : body.subarray(valueAt, valueAt + valueLength)
      const bytes = reader.at - keyAt
      records.push({ offset, timestampMs: appendMs ?? timestampMs, key, value, headers: texts.headers(), bytes })
    }
    reader.at = end
  }
}

const longestCompared = 256

/**
 * Texts of records that follow each other. Most headers of a record are those of the one before: comparing bytes costs a
 * tenth of making a string.
 */
class Texts {
  readonly #reader: ByteReader
  readonly #starts: number[] = []
  readonly #lengths: number[] = []
  readonly #texts: string[] = []

  constructor(reader: ByteReader) {
    this.#reader = reader
  }
  /** Null where there is none. The place tells which text of the record before it is like. */
  read(place: number): string | null {
    const reader = this.#reader
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
    const { bytes } = this.#reader
    if (length > longestCompared) return false
    for (let index = 0; index < length; index += 1) if (bytes[one + index] !== bytes[other + index]) return false
    return true
  }
  headers(): readonly string[] {
    const headers: string[] = []
    const count = this.#reader.varint()
    for (let place = 1; place <= count * 2; place += 2) {
      const name = this.read(place)
      const value = this.read(place + 1)
      // One that is null is as good as none.
      if (name !== null && value !== null) headers.push(name, value)
    }
    return headers
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
