import type { MemberEvents } from '../client.ts'
import type { KafkajsCluster } from './cluster.ts'
import { failureKind } from './failures.ts'
import { readRecords } from './read-records.ts'

export interface Fetcher {
  wake(): void
  stop(): void
  /** Rejects when fetching fails; resolves after `stop`. */
  readonly done: Promise<void>
}

const readCommitted = 1
/** A fetch without a record ends after this long. It has a connection of its own, so nothing else waits for it. */
const waitMs = 250
const maxBytes = 1_024 * 1_024
const maxPartitionBytes = 512 * 1_024

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
    while (!stopped) {
      const wanted = partitions.filter((partition) => events.wants(partition))
      if (wanted.length === 0) {
        await new Promise<void>((resolve) => wakes.push(resolve))
        continue
      }
      const broker = await cluster.findBroker({ nodeId })
      try {
        const { responses } = await broker.fetch({
          isolationLevel: readCommitted,
          maxWaitTime: waitMs,
          minBytes: 1,
          maxBytes,
          topics: [
            {
              topic,
              partitions: wanted.map((partition) => ({
                partition,
                fetchOffset: String(positions.get(partition)),
                maxBytes: maxPartitionBytes,
              })),
            },
          ],
        })
        if (stopped) return
        const read = responses
          .flatMap((response) => response.partitions)
          .map((data) => ({ data, fetched: readRecords(data, positions.get(data.partition)!) }))
          .filter(({ data, fetched }) => fetched.next !== positions.get(data.partition))
        // kafkajs asks in random order; the oldest first is what a reader expects.
        if (read.length > 1) read.sort((left, right) => firstMs(left.fetched) - firstMs(right.fetched))
        for (const { data, fetched } of read) {
          positions.set(data.partition, fetched.next)
          events.fetched(data.partition, fetched)
        }
      } catch (error) {
        if (stopped) return
        if (failureKind(error) !== 'outOfRange') throw error
        const { partition } = error as { partition?: number }
        for (const each of partition === undefined ? wanted : [partition]) {
          const next = await events.outOfRange(each)
          if (stopped) return
          positions.set(each, next)
        }
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
