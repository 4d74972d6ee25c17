import type { KafkaRecord, NewRecord } from '../src/client.ts'
import { crc32c } from '../src/kafkajs/crc32c.ts'
import { readRecords } from '../src/kafkajs/read-records.ts'
import type { FetchedPartition } from '../src/kafkajs/requests.ts'
import { writeRecordBatch } from '../src/kafkajs/write-records.ts'
import { range } from './raw.ts'

const fetched = (batches: Buffer, aborted: FetchedPartition['aborted'] = []): FetchedPartition => {
  return { partition: 0, error: undefined, end: 1_000, aborted, batches }
}
/** A batch as the broker stores it: from this offset on, with these attributes. */
function stored(records: readonly NewRecord[], offset: number, attributes = 0, producerId = -1n): Buffer {
  const batch = Buffer.from(writeRecordBatch(records, 1_700_000_000_000))
  batch.writeBigInt64BE(BigInt(offset), 0)
  batch.writeInt16BE(attributes, 21)
  batch.writeBigInt64BE(producerId, 43)
  return batch
}
const numbered = (n: number): NewRecord => ({ key: `k${n}`, value: Buffer.from(String(n)), headers: ['n', String(n)] })
const plain = ({ key, value, headers }: NewRecord | KafkaRecord) => ({
  key,
  value: value === null ? null : Buffer.from(value).toString('latin1'),
  headers: [...headers],
})

describe('record batches', () => {
  test('the checksum is that of the standard, over any number of bytes', () => {
    expect(crc32c(Buffer.from('123456789'), 0, 9)).toBe(0xe3069283)
    expect(crc32c(Buffer.alloc(32), 0, 32)).toBe(0x8a9136aa)
    expect(crc32c(Buffer.from('x123456789y'), 1, 10)).toBe(0xe3069283)
    expect(crc32c(Buffer.alloc(0), 0, 0)).toBe(0)
  })

  test('records of every size are read as they were written, over the steps at which lengths take another byte', async () => {
    const sizes = [0, 1, 40, 60, 61, 62, 63, 64, 65, 127, 128, 8_100, 8_185, 8_191, 8_192, 8_200, 1_048_570, 1_048_577]
    const records: NewRecord[] = sizes.map((size, index) => ({
      key: index % 3 === 0 ? null : 'k'.repeat(index),
      value: index % 5 === 4 ? null : Buffer.alloc(size, index),
      headers: index % 2 === 0 ? [] : ['name', 'v'.repeat(size % 9_000), 'empty', ''],
    }))
    const read = await readRecords(fetched(writeRecordBatch(records, 1_700_000_000_000)), 0)
    expect(read.records.map(plain)).toEqual(records.map(plain))
    expect(read.records.map(({ offset }) => offset)).toEqual(range(records.length))
    expect(read.records.every(({ timestampMs }) => timestampMs === 1_700_000_000_000)).toBe(true)
    expect(read.next).toBe(records.length)
  })

  test('texts of any language are read as they were written, also beside ones of the same length', async () => {
    const texts = ['aaaa', 'aaab', 'aaaa', 'ü', 'üü', 'aü', '漢字', '😀', 'x'.repeat(5_000), '', 'ÿ', 'é'.repeat(200)]
    const records = texts.map((text): NewRecord => ({ key: text, value: null, headers: [text, text, 'same', 'same'] }))
    const { records: read } = await readRecords(fetched(writeRecordBatch(records, 0)), 0)
    // In any order: records are read when they are asked for.
    for (const index of [...range(texts.length).reverse(), ...range(texts.length)])
      expect(plain(read[index]!)).toEqual(plain(records[index]!))
  })

  test('reading goes on from the offset asked for, and behind gaps that compaction left at the end of a batch', async () => {
    const batches = Buffer.concat([stored(range(5).map(numbered), 10), stored(range(3).map(numbered), 30)])
    // The last two of the second batch are gone; its last offset stays.
    batches.writeInt32BE(4, batches.byteLength - stored(range(3).map(numbered), 30).byteLength + 23)
    const read = await readRecords(fetched(batches), 13)
    expect(read.records.map(({ offset }) => offset)).toEqual([13, 14, 30, 31, 32])
    expect(read.next).toBe(35)
  })

  test('the time of the append counts for all records of a batch that has one', async () => {
    const batch = stored(range(2).map(numbered), 0, 0x08)
    batch.writeBigInt64BE(1_800_000_000_000n, 35)
    const { records } = await readRecords(fetched(batch), 0)
    expect(records.map(({ timestampMs }) => timestampMs)).toEqual([1_800_000_000_000, 1_800_000_000_000])
  })

  test('records of aborted transactions and control records are passed over, others of the same producer are not', async () => {
    const inTransaction = 0x10
    const control = 0x20
    const batches = Buffer.concat([
      stored([numbered(0)], 0, inTransaction, 7n),
      stored([numbered(1)], 1, inTransaction, 8n),
      stored([numbered(2)], 2, inTransaction | control, 7n),
      stored([numbered(3)], 3, inTransaction, 7n),
      stored([numbered(4)], 4, inTransaction | control, 7n),
      stored([numbered(5)], 5, inTransaction | control, 8n),
    ])
    const read = await readRecords(fetched(batches, [{ producerId: 7n, firstOffset: 0 }]), 0)
    expect(read.records.map(({ offset }) => offset)).toEqual([1, 3])
    expect(read.next).toBe(6)
  })

  test('a batch that is cut off is left for the next fetch', async () => {
    const first = stored(range(3).map(numbered), 0)
    const second = stored(range(3).map(numbered), 3)
    for (let missing = 1; missing <= second.byteLength; missing += 1) {
      const read = await readRecords(fetched(Buffer.concat([first, second]).subarray(0, -missing)), 0)
      expect(read.next).toBe(3)
      expect(read.records).toHaveLength(3)
    }
  })

  test('bytes that lie about their lengths end in an error or in records, and never in a read beyond them', async () => {
    const batch = stored(range(3).map(numbered), 0)
    for (let at = 57; at < batch.byteLength; at += 1) {
      for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
        const damaged = Buffer.from(batch)
        damaged[at] = byte
        try {
          const { records } = await readRecords(fetched(damaged), 0)
          for (const record of records) expect(Buffer.byteLength(plain(record).headers.join(''))).toBeLessThan(1_000)
        } catch (error) {
          expect((error as Error).message).toMatch(/of the broker/)
        }
      }
    }
  })

  test('a batch that claims to be shorter than its own header is an error, not read for ever', async () => {
    for (const length of [-12, -1, 0, 48]) {
      const damaged = stored([numbered(0)], 0)
      damaged.writeInt32BE(length, 8)
      for (const from of [0, 5]) await expect(readRecords(fetched(damaged), from)).rejects.toThrow('of the broker')
    }
  })

  test('records that are older than format 2 or compressed with an unknown codec are named as what cannot be read', async () => {
    const old = stored([numbered(0)], 0)
    old[16] = 1
    await expect(readRecords(fetched(old), 0)).rejects.toThrow('format 1')
    await expect(readRecords(fetched(stored([numbered(0)], 0, 5)), 0)).rejects.toThrow('codec 5')
  })
})
