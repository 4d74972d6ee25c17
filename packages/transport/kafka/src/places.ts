import type { ConsumerState, TrimReport } from '@evt/core'
import type { Committed, KafkaConnection } from './client.ts'
import type { KafkaNames } from './names.ts'
import { decodeProgress } from './progress-metadata.ts'

export interface PlacesParts {
  readonly connection: KafkaConnection
  readonly names: KafkaNames
  /** By topic, groups of others that were seen to have committed nothing on it, and when. */
  readonly strangers: Map<string, ReadonlyMap<string, number>>
  nowMs(): number
  monotonicMs(): number
}

const strangersMs = 60_000

/** Every group of a topic, with upper bounds: offsets without a message count as well. */
export async function inspect(parts: PlacesParts, topic: string): Promise<readonly ConsumerState[]> {
  const { connection, names } = parts
  const serverTopic = names.topic(topic)
  if ((await connection.partitionsOf(serverTopic)) === undefined) return []
  const ends = await connection.offsets(serverTopic, 'latest')
  const states: ConsumerState[] = []
  for (const group of await connection.groups()) {
    const consumer = names.consumerOf(group, serverTopic)
    if (consumer === undefined) continue
    const committed = await connection.committed(group, serverTopic)
    const lags = behind(committed, ends)
    states.push({
      consumer,
      lag: sum(lags),
      lagByPartition: lags,
      running: null,
      delayed: await delayedOf(parts, consumer, topic),
      deadLettered: null,
      oldestMs: await oldestOf(parts, serverTopic, committed, lags),
    })
  }
  return states
}

async function delayedOf({ connection, names }: PlacesParts, consumer: string, topic: string): Promise<number> {
  const retryTopic = names.retryTopic(consumer, topic)
  if ((await connection.partitionsOf(retryTopic)) === undefined) return 0
  const ends = await connection.offsets(retryTopic, 'latest')
  return sum(behind(await connection.committed(names.group(consumer, retryTopic), retryTopic), ends))
}

/** The age of the oldest message that is not done, by the broker's time. */
async function oldestOf(
  { connection, nowMs }: PlacesParts,
  topic: string,
  committed: ReadonlyMap<number, Committed>,
  lags: readonly number[],
): Promise<number | null> {
  let oldestMs: number | null = null
  for (const [partition, { offset }] of committed) {
    if (lags[partition] === 0) continue
    const { records } = await connection.fetch(topic, partition, offset, 1)
    const [first] = records
    if (first !== undefined) oldestMs = Math.max(oldestMs ?? 0, nowMs() - first.timestampMs)
  }
  return oldestMs
}

/** Of each partition. */
function behind(committed: ReadonlyMap<number, Committed>, ends: readonly number[]): number[] {
  return ends.map((end, partition) => {
    const place = committed.get(partition)
    return place === undefined ? 0 : Math.max(0, end - place.offset - decodeProgress(place.metadata).done.size)
  })
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

/** Removes what every group has committed, also groups of others, and does nothing while no group has. */
export async function trim(parts: PlacesParts, topic: string): Promise<TrimReport> {
  const { connection, names, strangers } = parts
  const serverTopic = names.topic(topic)
  const lowest = new Map<number, { offset: number; group: string }>()
  const first = await connection.offsets(serverTopic, 'earliest')
  const groups = await connection.groups()
  const before = strangers.get(topic)
  // Made anew each time: names of groups that are gone would pile up.
  const seen = new Map<string, number>()
  for (const group of groups) {
    const consumer = names.consumerOf(group, serverTopic)
    const seenMs = before?.get(group)
    if (consumer === undefined && seenMs !== undefined && parts.monotonicMs() - seenMs < strangersMs) {
      seen.set(group, seenMs)
      continue
    }
    const committed = await connection.committed(group, serverTopic)
    if (committed.size === 0 && consumer === undefined) {
      seen.set(group, parts.monotonicMs())
      continue
    }
    for (const [partition, earliest] of first.entries()) {
      // Who has no place yet may begin at the first message.
      const offset = committed.get(partition)?.offset ?? earliest
      if (offset < (lowest.get(partition)?.offset ?? Number.POSITIVE_INFINITY)) lowest.set(partition, { offset, group })
    }
    if (consumer !== undefined) await trimRetries(parts, consumer, topic)
  }
  strangers.set(topic, seen)
  const removed = await removeBefore(
    connection,
    serverTopic,
    new Map([...lowest].map(([partition, { offset }]) => [partition, offset])),
  )
  const ends = await connection.offsets(serverTopic, 'latest')
  let heldBackBy: string | null = null
  let most = 0
  for (const [partition, { offset, group }] of lowest) {
    const left = (ends[partition] ?? 0) - offset
    if (left <= most) continue
    most = left
    heldBackBy = names.consumerOf(group, serverTopic) ?? group
  }
  return { removed, heldBackBy }
}

async function trimRetries({ connection, names }: PlacesParts, consumer: string, topic: string): Promise<void> {
  const retryTopic = names.retryTopic(consumer, topic)
  if ((await connection.partitionsOf(retryTopic)) === undefined) return
  const committed = await connection.committed(names.group(consumer, retryTopic), retryTopic)
  const before = new Map([...committed].map(([partition, { offset }]) => [partition, offset]))
  await removeBefore(connection, retryTopic, before)
}

async function removeBefore(
  connection: KafkaConnection,
  topic: string,
  before: ReadonlyMap<number, number>,
): Promise<number> {
  const first = await connection.offsets(topic, 'earliest')
  const wanted = new Map([...before].filter(([partition, offset]) => offset > (first[partition] ?? offset)))
  let removed = 0
  for (const [partition, offset] of wanted) removed += offset - first[partition]!
  if (wanted.size > 0) await connection.deleteRecords(topic, wanted)
  return removed
}
