import type { Kafka, KafkaConfig } from 'kafkajs'

/** The part of kafkajs below its producer, consumer and admin: one method per request of the protocol. */
export interface KafkajsBroker {
  nodeId: number | string
  metadata(topics: string[]): ReturnType<KafkajsCluster['metadata']>
  /** Takes any request of the protocol that can be encoded, and decodes its answer as told. */
  connectionPool: {
    send(exchange: {
      request: {
        apiKey: number
        apiVersion: number
        apiName: string
        encode(): Promise<{ buf: Buffer; buffer: Buffer }>
      }
      response: {
        decode(payload: Buffer): Promise<{ clientSideThrottleTime: number }>
        parse(decoded: unknown): Promise<unknown>
      }
    }): Promise<unknown>
  }
  listOffsets(request: object): Promise<{
    responses: { topic: string; partitions: { partition: number; offset: string }[] }[]
  }>
  createTopics(request: object): Promise<unknown>
  describeConfigs(request: object): Promise<{
    resources: { configEntries: { configName: string; configValue: string | null }[] }[]
  }>
  deleteRecords(request: object): Promise<unknown>
  listGroups(): Promise<{ groups: { groupId: string; protocolType: string }[] }>
  offsetFetch(request: object): Promise<{
    responses: { topic: string; partitions: { partition: number; offset: string; metadata: string | null }[] }[]
  }>
  joinGroup(request: object): Promise<JoinResponse>
  syncGroup(request: object): Promise<{ memberAssignment: Buffer }>
  heartbeat(request: object): Promise<unknown>
  leaveGroup(request: object): Promise<unknown>
}
export interface JoinResponse {
  generationId: number
  leaderId: string
  memberId: string
  members: { memberId: string; memberMetadata: Buffer }[]
}
export interface KafkajsCluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  metadata(request: { topics: string[] }): Promise<{
    brokers: { nodeId: number }[]
    topicMetadata: { topic: string; partitionMetadata: { partitionId: number; leader: number; replicas: number[] }[] }[]
  }>
  refreshMetadata(): Promise<void>
  getNodeIds(): string[]
  findBroker(node: { nodeId: string }): Promise<KafkajsBroker>
  findControllerBroker(): Promise<KafkajsBroker>
  findGroupCoordinator(group: { groupId: string }): Promise<KafkajsBroker>
}
export interface Encoders {
  readonly MemberMetadata: {
    encode(metadata: { version: number; topics: string[]; userData: Buffer }): Buffer
    decode(buffer: Buffer): { topics: string[]; userData: Buffer | null } | null
  }
  readonly MemberAssignment: {
    encode(assignment: { version: number; assignment: Record<string, number[]>; userData: Buffer }): Buffer
    decode(buffer: Buffer): { assignment: Record<string, number[]> } | null
  }
}
export interface Kafkajs {
  readonly kafka: Kafka
  readonly encoders: Encoders
}
export type OpenCluster = () => Promise<KafkajsCluster>

/** Loads kafkajs at its first use. Its own retries are short: whoever calls it tries again, and knows for how long. */
export async function loadKafkajs(config: KafkaConfig): Promise<Kafkajs> {
  const { Kafka, logLevel, AssignerProtocol } = await import('kafkajs')
  const kafka = new Kafka({
    logLevel: logLevel.NOTHING,
    ...config,
    retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 200, restartOnFailure: async () => false },
  })
  return { kafka, encoders: AssignerProtocol as unknown as Encoders }
}

/** A cluster handle with connections of its own. kafkajs hands it to assigners; the consumer itself never joins. */
export async function openCluster({ kafka }: Kafkajs): Promise<KafkajsCluster> {
  let captured: KafkajsCluster | undefined
  kafka.consumer({
    groupId: 'unused',
    allowAutoTopicCreation: false,
    metadataMaxAge: 30_000,
    partitionAssigners: [
      ({ cluster }) => {
        captured = cluster as unknown as KafkajsCluster
        return {
          name: 'unused',
          version: 0,
          assign: async () => [],
          protocol: () => ({ name: '', metadata: Buffer.alloc(0) }),
        }
      },
    ],
  })
  const cluster = tellingWhy(captured!)
  try {
    await cluster.connect()
  } catch (error) {
    await closeQuietly(cluster)
    throw error
  }
  return cluster
}

/** Where every broker refuses, such as for a topic that is gone, kafkajs swallows why and answers null: one is asked again. */
function tellingWhy(cluster: KafkajsCluster): KafkajsCluster {
  const metadata = cluster.metadata.bind(cluster) as (
    ...request: Parameters<KafkajsCluster['metadata']>
  ) => Promise<Awaited<ReturnType<KafkajsCluster['metadata']>> | null>
  return Object.assign(cluster, {
    async metadata(request: { topics: string[] }) {
      const answer = await metadata(request)
      if (answer !== null) return answer
      const [nodeId = ''] = cluster.getNodeIds()
      return (await cluster.findBroker({ nodeId })).metadata(request.topics)
    },
  })
}

export async function closeQuietly(cluster: KafkajsCluster | undefined): Promise<void> {
  try {
    await cluster?.disconnect()
  } catch {
    // It is being thrown away because it does not work.
  }
}
