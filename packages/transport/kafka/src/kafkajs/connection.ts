import type { Clock } from '@evt/core'
import type { Committed, Fetched, KafkaConnection, NewTopic, PartitionBatch, ProduceFailure } from '../client.ts'
import { closeQuietly, type KafkajsBroker, type KafkajsCluster, type OpenCluster } from './cluster.ts'
import { type FailureKind, failureKind } from './failures.ts'
import { readRecords } from './read-records.ts'
import { type ProducedPartition, sendFetch, sendProduce } from './requests.ts'
import { writeRecordBatch } from './write-records.ts'

const readCommitted = 1
const everything = { earliest: -2, latest: -1 } as const
/** The kind of thing that a configuration belongs to. */
const topicResource = 2
const produceTimeoutMs = 10_000
const produceAttempts = 5
const maxFetchBytes = 1_024 * 1_024
/** What a broker's refusal says of the records. Of any other nobody knows. */
const outcomes: Partial<Record<FailureKind, ProduceFailure['outcome']>> = {
  large: 'refused',
  denied: 'refused',
  stale: 'unavailable',
  missing: 'unavailable',
}

/** One cluster handle, thrown away after any failure that is no answer and opened again at the next use. */
export function kafkajsConnection(open: OpenCluster, clock: Clock): KafkaConnection {
  let opening: Promise<KafkajsCluster> | undefined
  const leaders = new Map<string, readonly string[]>()

  const use = async <Result>(work: (cluster: KafkajsCluster) => Promise<Result>): Promise<Result> => {
    opening ??= open()
    const used = opening
    try {
      return await work(await used)
    } catch (error) {
      const kind = failureKind(error)
      if (kind === 'other' || kind === 'stale') {
        leaders.clear()
        if (kind === 'other' && opening === used) {
          opening = undefined
          void used.then(closeQuietly, () => undefined)
        }
      }
      throw error
    }
  }
  const leadersOf = async (cluster: KafkajsCluster, topic: string): Promise<readonly string[]> => {
    const known = leaders.get(topic)
    if (known !== undefined) return known
    const { topicMetadata } = await cluster.metadata({ topics: [topic] })
    const list: string[] = []
    for (const { partitionId, leader } of topicMetadata[0]!.partitionMetadata) list[partitionId] = String(leader)
    leaders.set(topic, list)
    return list
  }
  const byLeader = async <Item>(
    cluster: KafkajsCluster,
    items: readonly Item[],
    place: (item: Item) => { readonly topic: string; readonly partition: number },
  ) => {
    const groups = new Map<string, Item[]>()
    for (const item of items) {
      const { topic, partition } = place(item)
      const node = (await leadersOf(cluster, topic))[partition] ?? 'none'
      const group = groups.get(node)
      if (group === undefined) groups.set(node, [item])
      else group.push(item)
    }
    return groups
  }
  const produceTo = async (node: string, batches: readonly PartitionBatch[]) => {
    const failed = (outcome: ProduceFailure['outcome'], error: unknown) =>
      batches.map((batch): ProduceFailure => ({ batch, outcome, isTooLarge: false, error }))
    // kafkajs itself drops these without a word.
    if (node === 'none') return failed('refused', new Error('there is no such partition'))
    let broker: KafkajsBroker
    try {
      broker = await use((cluster) => cluster.findBroker({ nodeId: node }))
    } catch (error) {
      return failed('unavailable', error)
    }
    const topics = new Map<string, { partition: number; batch: Buffer }[]>()
    for (const { topic, partition, records, isPacked } of batches) {
      const list = topics.get(topic) ?? []
      topics.set(topic, list)
      list.push({ partition, batch: writeRecordBatch(records, clock.nowMs(), isPacked) })
    }
    const wanted = [...topics].map(([topic, partitions]) => ({ topic, partitions }))
    let answers: readonly ProducedPartition[]
    try {
      answers = await use(() => sendProduce(broker, wanted, produceTimeoutMs))
    } catch (error) {
      return failed('unknown', error)
    }
    return batches.flatMap((batch): ProduceFailure[] => {
      const answer = answers.find(({ topic, partition }) => topic === batch.topic && partition === batch.partition)
      const error = answer === undefined ? new Error('the broker did not tell') : answer.error
      if (error === undefined) return []
      const kind = failureKind(error)
      if (kind === 'stale' || kind === 'missing') leaders.clear()
      return [{ batch, outcome: outcomes[kind] ?? 'unknown', isTooLarge: kind === 'large', error }]
    })
  }
  const produceOnce = async (batches: readonly PartitionBatch[]): Promise<readonly ProduceFailure[]> => {
    try {
      const groups = await use((cluster) => byLeader(cluster, batches, (batch) => batch))
      return (await Promise.all([...groups].map(([node, some]) => produceTo(node, some)))).flat()
    } catch (error) {
      return batches.map((batch): ProduceFailure => ({ batch, outcome: 'unavailable', isTooLarge: false, error }))
    }
  }
  return {
    probe: () => use(async (cluster) => void (await cluster.metadata({ topics: [] }))),
    async partitionsOf(topic) {
      leaders.delete(topic)
      try {
        return (await use((cluster) => leadersOf(cluster, topic))).length
      } catch (error) {
        if (failureKind(error) === 'missing') return undefined
        throw error
      }
    },
    settingsOf: (topic) =>
      use(async (cluster) => {
        const { topicMetadata } = await cluster.metadata({ topics: [topic] })
        const copies = Math.min(...topicMetadata[0]!.partitionMetadata.map(({ replicas }) => replicas.length))
        const found = new Map([['replication.factor', String(copies)]])
        const broker = await controllerOf(cluster)
        try {
          const { resources } = await broker.describeConfigs({ resources: [{ type: topicResource, name: topic }] })
          for (const { configName, configValue } of resources[0]?.configEntries ?? [])
            if (configValue !== null) found.set(configName, configValue)
        } catch (error) {
          if (failureKind(error) !== 'denied') throw error
        }
        return found
      }),
    createTopic: ({ topic, partitions, replicationFactor, config }: NewTopic) =>
      use(async (cluster) => {
        const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
        const created = { topic, numPartitions: partitions, replicationFactor, configEntries }
        const broker = await controllerOf(cluster)
        try {
          await broker.createTopics({ topics: [created], timeout: 10_000 })
        } catch (error) {
          const errors = (error as { errors?: { type?: string }[] }).errors ?? [error as { type?: string }]
          if (!errors.every(({ type }) => type === 'TOPIC_ALREADY_EXISTS')) throw error
        }
        leaders.delete(topic)
      }),
    offsets: (topic, at) =>
      use(async (cluster) => {
        const timestamp = typeof at === 'number' ? at : everything[at]
        const partitions = (await leadersOf(cluster, topic)).map((_leader, partition) => ({ partition, timestamp }))
        const found: number[] = []
        const groups = await byLeader(cluster, partitions, ({ partition }) => ({ topic, partition }))
        for (const [nodeId, asked] of groups) {
          const broker = await cluster.findBroker({ nodeId })
          const { responses } = await broker.listOffsets({
            replicaId: -1,
            isolationLevel: readCommitted,
            topics: [{ topic, partitions: asked }],
          })
          for (const { partition, offset } of responses[0]!.partitions) found[partition] = Number(offset)
        }
        return found
      }),
    async produce(batches) {
      let failures = await produceOnce(batches)
      // A leader that has just moved has written nothing: its successor is asked.
      for (let attempt = 1; attempt <= produceAttempts; attempt += 1) {
        const moved = failures.filter(
          ({ outcome, error }) => outcome === 'unavailable' && failureKind(error) === 'stale',
        )
        if (moved.length === 0) break
        await new Promise<void>((resolve) => clock.startTimer(resolve, 25 * 2 ** attempt))
        const again = await produceOnce(moved.map(({ batch }) => batch))
        failures = [...failures.filter((failure) => !moved.includes(failure)), ...again]
      }
      return failures
    },
    fetch: (topic, partition, offset, maxBytes = maxFetchBytes): Promise<Fetched> =>
      use(async (cluster) => {
        const nodeId = (await leadersOf(cluster, topic))[partition]!
        const broker = await cluster.findBroker({ nodeId })
        const [fetched] = await sendFetch(broker, {
          topic,
          partitions: [{ partition, offset, maxBytes }],
          maxBytes,
          waitMs: 0,
        })
        if (fetched === undefined) throw new Error('the broker did not tell')
        if (fetched.error !== undefined) throw fetched.error
        return readRecords(fetched, offset)
      }),
    deleteRecords: (topic, before) =>
      use(async (cluster) => {
        const wanted = [...before].map(([partition, offset]) => ({ partition, offset: String(offset) }))
        const groups = await byLeader(cluster, wanted, ({ partition }) => ({ topic, partition }))
        for (const [nodeId, partitions] of groups) {
          const broker = await cluster.findBroker({ nodeId })
          await broker.deleteRecords({ topics: [{ topic, partitions }] })
        }
      }),
    groups: () =>
      use(async (cluster) => {
        const { brokers } = await cluster.metadata({ topics: [] })
        const found = await Promise.all(
          brokers.map(async ({ nodeId }) => (await cluster.findBroker({ nodeId: String(nodeId) })).listGroups()),
        )
        return found.flatMap(({ groups }) => groups.map(({ groupId }) => groupId))
      }),
    committed: (group, topic) =>
      use(async (cluster) =>
        committedOf(
          await cluster.findGroupCoordinator({ groupId: group }),
          group,
          topic,
          (await leadersOf(cluster, topic)).length,
        ),
      ),
    async close() {
      const used = opening
      opening = undefined
      await used?.then(closeQuietly, () => undefined)
    },
  }
}

/** What a group has committed, as its coordinator knows it; partitions without a commit are left out. */
export async function committedOf(
  coordinator: KafkajsBroker,
  groupId: string,
  topic: string,
  total: number,
): Promise<Map<number, Committed>> {
  const partitions = Array.from({ length: total }, (_value, partition) => ({ partition }))
  const { responses } = await coordinator.offsetFetch({ groupId, topics: [{ topic, partitions }] })
  const found = new Map<number, Committed>()
  for (const { partition, offset, metadata } of responses[0]?.partitions ?? []) {
    if (Number(offset) >= 0) found.set(partition, { offset: Number(offset), metadata: metadata ?? '' })
  }
  return found
}

async function controllerOf(cluster: KafkajsCluster): Promise<KafkajsBroker> {
  await cluster.metadata({ topics: [] })
  return cluster.findControllerBroker()
}
