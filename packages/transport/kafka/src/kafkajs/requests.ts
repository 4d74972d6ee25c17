import type { Committed } from '../client.ts'
import { ByteReader } from './byte-reader.ts'
import type { KafkajsBroker } from './cluster.ts'
import { protocolError } from './failures.ts'

/** What the broker says of one partition that was written to. */
export interface ProducedPartition {
  readonly topic: string
  readonly partition: number
  readonly error: Error | undefined
}
export interface ProducedTopic {
  readonly topic: string
  readonly partitions: readonly { readonly partition: number; readonly batch: Buffer }[]
}

export interface FetchRequest {
  readonly topic: string
  readonly partitions: readonly { readonly partition: number; readonly offset: number; readonly maxBytes: number }[]
  readonly maxBytes: number
  /** How long the broker may wait for a first byte. */
  readonly waitMs: number
}
export interface FetchedPartition {
  readonly partition: number
  readonly error: Error | undefined
  /** The offset behind the last record that a reader may see. */
  readonly end: number
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[]
  /** Record batches, the last one perhaps cut off. */
  readonly batches: Buffer
}

const allReplicas = -1
const committedOnly = 1
const noReplica = -1
const noEpoch = -1

/**
 * Appends record batches that are encoded already: kafkajs' own request encodes them in 30 µs a message. Version 7,
 * known to brokers since 2.1. Source: the Kafka protocol guide, "Produce API".
 */
export async function sendProduce(
  broker: KafkajsBroker,
  topics: readonly ProducedTopic[],
  timeoutMs: number,
): Promise<readonly ProducedPartition[]> {
  return send(
    broker,
    { apiKey: 0, apiVersion: 7, apiName: 'Produce' },
    () => produceBody(topics, timeoutMs),
    readProduced,
  )
}

function produceBody(topics: readonly ProducedTopic[], timeoutMs: number): Buffer {
  const parts: Buffer[] = [nullText, int16(allReplicas), int32(timeoutMs), int32(topics.length)]
  for (const { topic, partitions } of topics) {
    parts.push(text(topic), int32(partitions.length))
    for (const { partition, batch } of partitions) parts.push(int32(partition), int32(batch.byteLength), batch)
  }
  return Buffer.concat(parts)
}

function readProduced(answer: ByteReader): { result: readonly ProducedPartition[]; throttleMs: number } {
  const topics = answer.list(() => {
    const topic = answer.text()
    return answer.list((): ProducedPartition => {
      const partition = answer.int32()
      const error = protocolError(answer.int16(), `writing to partition ${partition} of ${topic}`)
      // First offset, time of the append, first offset of the log.
      answer.take(24)
      return { topic, partition, error }
    })
  })
  return { result: topics.flat(), throttleMs: answer.int32() }
}

/**
 * Fetches without a fetch session, committed records alone. Version 11, known to brokers since 2.3.
 * Source: the Kafka protocol guide, "Fetch API".
 */
export async function sendFetch(broker: KafkajsBroker, request: FetchRequest): Promise<readonly FetchedPartition[]> {
  return send(broker, { apiKey: 1, apiVersion: 11, apiName: 'Fetch' }, () => fetchBody(request), readFetched)
}

function fetchBody({ topic, partitions, maxBytes, waitMs }: FetchRequest): Buffer {
  const parts: Buffer[] = [int32(noReplica), int32(waitMs), int32(1), int32(maxBytes), Buffer.from([committedOnly])]
  // No session, one topic.
  parts.push(int32(0), int32(-1), int32(1), text(topic), int32(partitions.length))
  for (const each of partitions) {
    parts.push(int32(each.partition), int32(noEpoch), int64(each.offset), int64(-1), int32(each.maxBytes))
  }
  // No topic to forget, no rack.
  parts.push(int32(0), text(''))
  return Buffer.concat(parts)
}

function readFetched(answer: ByteReader): { result: readonly FetchedPartition[]; throttleMs: number } {
  const throttleMs = answer.int32()
  const refused = protocolError(answer.int16(), 'fetching')
  if (refused !== undefined) throw refused
  answer.int32()
  const topics = answer.list(() => {
    const topic = answer.text()
    return answer.list((): FetchedPartition => {
      const partition = answer.int32()
      const error = protocolError(answer.int16(), `fetching partition ${partition} of ${topic}`)
      const highWatermark = answer.int64()
      const stable = answer.int64()
      answer.int64()
      const aborted = answer.list(() => ({ producerId: answer.bigInt64(), firstOffset: answer.int64() }))
      answer.int32()
      const length = Math.max(0, answer.int32())
      const at = answer.take(length)
      const batches = answer.bytes.subarray(at, at + length)
      return { partition, error, end: stable < 0 ? highWatermark : stable, aborted, batches }
    })
  })
  return { result: topics.flat(), throttleMs }
}

export interface CommitRequest {
  readonly group: string
  readonly memberId: string
  readonly generation: number
  readonly topic: string
  readonly offsets: readonly (readonly [partition: number, place: Committed])[]
}

/**
 * Commits as a member of a generation; rejects with the first partition's refusal. Version 5, known to brokers since 2.1:
 * kafkajs' own request takes twice the time. Source: the Kafka protocol guide, "OffsetCommit API".
 */
export async function sendCommit(coordinator: KafkajsBroker, request: CommitRequest): Promise<void> {
  const api = { apiKey: 8, apiVersion: 5, apiName: 'OffsetCommit' }
  const refused = await send(coordinator, api, () => commitBody(request), readCommitted)
  if (refused !== undefined) throw refused
}

function commitBody({ group, memberId, generation, topic, offsets }: CommitRequest): Buffer {
  const parts = [text(group), int32(generation), text(memberId), int32(1), text(topic), int32(offsets.length)]
  for (const [partition, { offset, metadata }] of offsets) parts.push(int32(partition), int64(offset), text(metadata))
  return Buffer.concat(parts)
}

function readCommitted(answer: ByteReader): { result: Error | undefined; throttleMs: number } {
  const throttleMs = answer.int32()
  const refusals = answer.list(() => {
    const topic = answer.text()
    return answer.list(() => {
      const partition = answer.int32()
      return protocolError(answer.int16(), `committing partition ${partition} of ${topic}`)
    })
  })
  return { result: refusals.flat().find((error) => error !== undefined), throttleMs }
}

interface Api {
  readonly apiKey: number
  readonly apiVersion: number
  readonly apiName: string
}

/** One request over kafkajs' connection to a broker, which asks of a request and its answer no more than this. */
async function send<Result>(
  broker: KafkajsBroker,
  api: Api,
  encode: () => Buffer,
  read: (answer: ByteReader) => { readonly result: Result; readonly throttleMs: number },
): Promise<Result> {
  const answer = await broker.connectionPool.send({
    request: {
      ...api,
      async encode() {
        const body = encode()
        return { buf: body, buffer: body }
      },
    },
    response: {
      async decode(payload) {
        const { result, throttleMs } = read(new ByteReader(payload))
        return { result, clientSideThrottleTime: throttleMs }
      },
      parse: async (decoded) => decoded,
    },
  })
  return (answer as { readonly result: Result }).result
}

const nullText = int16(-1)

function int16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeInt16BE(value)
  return bytes
}
function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}
function int64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}
function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)])
}
