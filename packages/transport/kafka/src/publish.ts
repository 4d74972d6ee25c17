import { crashPoint, type Outgoing, type PublishFailure, partitionOf } from '@evt/core'
import type { KafkaConnection, NewRecord, PartitionBatch } from './client.ts'
import { writeKafkaHeaders } from './headers.ts'
import type { KafkaNames } from './names.ts'
import type { KnownTopic, Topics } from './topics.ts'

export interface PublishParts {
  readonly connection: KafkaConnection
  readonly names: KafkaNames
  readonly topics: Topics
  readonly maxMessageBytes: number
  /** Where messages without a key go. */
  readonly spread: Spread
}
export interface Spread {
  partition(topic: string, partitions: number, bytes: number): number
}

interface Placed extends PartitionBatch {
  readonly records: NewRecord[]
  readonly indexes: number[]
  bytes: number
}

const stickyBytes = 64 * 1_024
/** Of a batch with one record. */
const batchOverheadBytes = 96

/** Messages without a key stay in one partition for 64 KiB: fewer, larger batches, and an order that people expect. */
export function stickySpread(random: () => number): Spread {
  const places = new Map<string, { partition: number; bytes: number }>()
  return {
    partition(topic, partitions, bytes) {
      let place = places.get(topic)
      if (place === undefined || place.partition >= partitions) {
        place = { partition: Math.floor(random() * partitions), bytes: 0 }
        places.set(topic, place)
      } else if (place.bytes >= stickyBytes) {
        place.partition = (place.partition + 1) % partitions
        place.bytes = 0
      }
      place.bytes += bytes
      return place.partition
    },
  }
}

/** Publishes in order, in rounds that hold one batch of bounded size per partition. What follows a failure is not sent. */
export async function publishBatch(
  { connection, names, topics, maxMessageBytes, spread }: PublishParts,
  batch: readonly Outgoing[],
): Promise<readonly PublishFailure[]> {
  const failures: PublishFailure[] = []
  let stopped: unknown
  let round = new Map<string, Placed>()
  const send = async () => {
    if (round.size === 0) return
    const placed = [...round.values()]
    round = new Map()
    for (const { batch: failed, outcome, error } of await connection.produce(placed)) {
      stopped ??= error
      topics.forget(failed.topic)
      for (const index of (failed as Placed).indexes) failures.push({ index, outcome, error })
    }
    crashPoint('transport.published')
  }
  for (let index = 0; index < batch.length; index += 1) {
    const { topic, key, headers, payload } = batch[index]!
    if (stopped !== undefined) {
      failures.push({ index, outcome: 'unavailable', error: stopped })
      continue
    }
    const written = writeKafkaHeaders(headers)
    let found: KnownTopic
    try {
      const known = topics.find(topic)
      // Messages by the thousand should not each wait for a promise.
      found = known instanceof Promise ? await known : known
    } catch (error) {
      stopped = error
      failures.push({ index, outcome: 'unavailable', error })
      continue
    }
    const { partitions, maxBatchBytes } = found
    const bytes = recordBytes(payload.byteLength, key, written, maxBatchBytes)
    if (payload.byteLength > maxMessageBytes || bytes > maxBatchBytes) {
      const limit = Math.min(maxMessageBytes, maxBatchBytes)
      const error = new Error(`it has ${bytes} bytes with its headers, ${limit} are allowed`)
      failures.push({ index, outcome: 'refused', error })
      continue
    }
    const partition = key === undefined ? spread.partition(topic, partitions, bytes) : partitionOf(key, partitions)
    const place = `${topic} ${partition}`
    if ((round.get(place)?.bytes ?? 0) + bytes > maxBatchBytes) {
      await send()
      if (stopped !== undefined) {
        failures.push({ index, outcome: 'unavailable', error: stopped })
        continue
      }
    }
    let placed = round.get(place)
    if (placed === undefined) {
      placed = { topic: names.topic(topic), partition, records: [], indexes: [], bytes: 0 }
      round.set(place, placed)
    }
    placed.records.push({ key: key ?? null, value: payload, headers: written })
    placed.indexes.push(index)
    placed.bytes += bytes
  }
  await send()
  return failures.length > 1 ? failures.sort((left, right) => left.index - right.index) : failures
}

/** At least what a record takes; counted exactly only where it matters. */
function recordBytes(payload: number, key: string | undefined, headers: readonly string[], limit: number): number {
  let most = payload + (key?.length ?? 0) * 3 + batchOverheadBytes
  for (const text of headers) most += text.length * 3 + 2
  if (most <= limit && most - payload <= 4_096) return most
  let bytes = payload + Buffer.byteLength(key ?? '') + batchOverheadBytes
  for (const text of headers) bytes += Buffer.byteLength(text) + 3
  return bytes
}
