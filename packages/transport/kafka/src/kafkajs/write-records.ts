import { gzipSync } from 'node:zlib'
import type { NewRecord } from '../client.ts'
import { crc32c } from './crc32c.ts'

const batchHeaderBytes = 61
/** Length, attributes, time, offset, lengths of key and value, number of headers: at most. */
const recordOverheadBytes = 31
const headerOverheadBytes = 10
const checkedFrom = 21
const gzip = 1

/**
 * A record batch of format 2 as it stands in a produce request, without a producer id; packed: by gzip. kafkajs' own encoder makes some forty
 * objects a record. Source: the Kafka protocol guide, "Record Batch".
 */
export function writeRecordBatch(
  records: readonly NewRecord[],
  timestampMs: number,
  isPacked: boolean = false,
): Buffer {
  const writer = new Writer(mostBytes(records))
  for (const [index, record] of records.entries()) writer.record(record, index)
  return writer.finish(records.length, timestampMs, isPacked)
}

/** Three bytes a character are the most that UTF-8 takes. */
function mostBytes(records: readonly NewRecord[]): number {
  let bytes = batchHeaderBytes
  for (const { key, value, headers } of records) {
    bytes += recordOverheadBytes + (key?.length ?? 0) * 3 + (value?.byteLength ?? 0)
    for (let index = 0; index < headers.length; index += 2)
      bytes += headerOverheadBytes + (headers[index]!.length + headers[index + 1]!.length) * 3
  }
  return bytes
}

class Writer {
  readonly #bytes: Buffer
  #at = batchHeaderBytes

  constructor(mostBytes: number) {
    this.#bytes = Buffer.allocUnsafe(mostBytes)
  }
  record({ key, value, headers }: NewRecord, index: number): void {
    const bytes = this.#bytes
    const from = this.#at
    // Most records have a length of two bytes.
    const body = from + 2
    this.#at = body
    bytes[this.#at++] = 0
    bytes[this.#at++] = 0
    this.#varint(index)
    if (key === null) this.#varint(-1)
    else this.#text(key)
    if (value === null) this.#varint(-1)
    else {
      this.#varint(value.byteLength)
      bytes.set(value, this.#at)
      this.#at += value.byteLength
    }
    this.#varint(headers.length / 2)
    for (let each = 0; each < headers.length; each += 1) this.#text(headers[each]!)
    const length = this.#at - body
    const moved = from + varintBytes(length)
    // Before the length is written, which may reach into the body.
    if (moved !== body) bytes.copyWithin(moved, body, body + length)
    this.#at = from
    this.#varint(length)
    this.#at = moved + length
  }
  /** Zigzag: small numbers of either sign take one byte. */
  #varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0
    for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#at++] = (rest & 0x7f) | 0x80
    this.#bytes[this.#at++] = rest
  }
  /** Length and bytes. Most texts are short and ASCII: those are written here, the rest by the runtime. */
  #text(text: string): void {
    const bytes = this.#bytes
    const { length } = text
    const from = this.#at
    this.#varint(length)
    let at = this.#at
    let seen = 0
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index)
      bytes[at++] = code
      seen |= code
    }
    if (seen < 0x80) {
      this.#at = at
      return
    }
    this.#at = from
    this.#varint(Buffer.byteLength(text))
    this.#at += bytes.write(text, this.#at, 'utf8')
  }
  finish(count: number, timestampMs: number, isPacked: boolean): Buffer {
    const plain = this.#bytes.subarray(0, this.#at)
    const packed = isPacked ? gzipSync(plain.subarray(batchHeaderBytes)) : undefined
    // What cannot be packed would only grow.
    const isSmaller = packed !== undefined && packed.byteLength < plain.byteLength - batchHeaderBytes
    const bytes = isSmaller ? Buffer.concat([plain.subarray(0, batchHeaderBytes), packed]) : plain
    const end = bytes.byteLength
    bytes.fill(0, 0, 8)
    bytes.writeInt32BE(end - 12, 8)
    bytes.writeInt32BE(-1, 12)
    bytes[16] = 2
    bytes.writeInt16BE(isSmaller ? gzip : 0, checkedFrom)
    bytes.writeInt32BE(count - 1, 23)
    const time = BigInt(timestampMs)
    bytes.writeBigInt64BE(time, 27)
    bytes.writeBigInt64BE(time, 35)
    // No producer id, epoch or sequence.
    bytes.fill(0xff, 43, 57)
    bytes.writeInt32BE(count, 57)
    bytes.writeUInt32BE(crc32c(bytes, checkedFrom, end), 17)
    return bytes
  }
}

function varintBytes(length: number): number {
  return length < 0x40 ? 1 : length < 0x2000 ? 2 : length < 0x10_0000 ? 3 : length < 0x800_0000 ? 4 : 5
}
