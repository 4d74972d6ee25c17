import type { Fetched, MemberEvents } from '../client.ts'
import type { KafkajsCluster } from './cluster.ts'
import { failureKind } from './failures.ts'
import { readRecords } from './read-records.ts'
import { sendFetch } from './requests.ts'

export interface Fetcher {
  wake(): void
  stop(): void
  /** Rejects when fetching fails; resolves after `stop`. */
  readonly done: Promise<void>
}

/** A fetch without a record ends after this long. It has a connection of its own, so nothing else waits for it. */
const waitMs = 250
const maxBytes = 1_024 * 1_024

/** Long polls, one loop per broker, of all partitions that are wanted. */
export function startFetcher(
  cluster: KafkajsCluster,
  topic: string,
  positions: Map<number, number>,
  events: MemberEvents,
): Fetcher {
  let stopped = false
  let wakes: (() => void)[] = []
  const wake = () => {
    const all = wakes
    wakes = []
    for (const resume of all) resume()
  }
  const loop = async (nodeId: string, partitions: readonly number[]) => {
    let turn = 0
    while (!stopped) {
      const wanted = partitions.filter((partition) => events.wants(partition))
      if (wanted.length === 0) {
        await new Promise<void>((resolve) => wakes.push(resolve))
        continue
      }
      const broker = await cluster.findBroker({ nodeId })
      // Brokers fill their answer in the order asked, up to its size: each partition is first in its turn.
      turn += 1
      const first = turn % wanted.length
      const fetched = await sendFetch(broker, {
        topic,
        partitions: [...wanted.slice(first), ...wanted.slice(0, first)].map((partition) => ({
          partition,
          offset: positions.get(partition)!,
          maxBytes,
        })),
        maxBytes,
        waitMs,
      })
      if (stopped) return
      const read: { partition: number; fetched: Fetched }[] = []
      for (const data of fetched) {
        const { partition, error } = data
        if (error === undefined) read.push({ partition, fetched: await readRecords(data, positions.get(partition)!) })
      }
      // The oldest first is what a reader expects.
      if (read.length > 1) read.sort((left, right) => firstMs(left.fetched) - firstMs(right.fetched))
      for (const each of read) {
        if (stopped) return
        positions.set(each.partition, each.fetched.next)
        events.fetched(each.partition, each.fetched)
      }
      for (const { partition, error } of fetched) {
        if (error === undefined) continue
        if (failureKind(error) !== 'outOfRange') throw error
        const next = await events.outOfRange(partition)
        if (stopped) return
        positions.set(partition, next)
      }
    }
  }
  const run = async () => {
    const { topicMetadata } = await cluster.metadata({ topics: [topic] })
    const nodes = new Map<string, number[]>()
    for (const { partitionId, leader } of topicMetadata[0]!.partitionMetadata) {
      if (!positions.has(partitionId)) continue
      const partitions = nodes.get(String(leader)) ?? []
      nodes.set(String(leader), partitions)
      partitions.push(partitionId)
    }
    await Promise.all([...nodes].map(([nodeId, partitions]) => loop(nodeId, partitions)))
    if (!stopped) await new Promise<void>((resolve) => wakes.push(resolve))
  }
  return {
    wake,
    stop() {
      stopped = true
      wake()
    },
    done: run(),
  }
}

function firstMs({ records }: { readonly records: readonly { readonly timestampMs: number }[] }): number {
  return records[0]?.timestampMs ?? 0
}
