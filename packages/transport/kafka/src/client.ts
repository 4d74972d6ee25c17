/**
 * What this transport asks of a Kafka client. `kafkajsClient` is one; another client takes its place by answering the
 * same. Offsets are numbers: a partition would need two hundred thousand years at 1.4 M messages a second to leave them.
 */
export interface KafkaClient {
  /** A connection of its own. It connects at its first use and again after failures. */
  connect(): KafkaConnection
  /** Begins to read a topic as a member of a group, or alone, and goes on through failures until `leave`. */
  join(options: MemberOptions, events: MemberEvents): KafkaMember
}

export interface KafkaConnection {
  /** Rejects unless the cluster answers. */
  probe(): Promise<void>
  /** The number of partitions, or undefined where there is no such topic. Never creates one. */
  partitionsOf(topic: string): Promise<number | undefined>
  /**
   * How an existing topic is configured, by Kafka's names, and as `replication.factor` the least copies of its partitions.
   * What may not be asked is left out.
   */
  settingsOf(topic: string): Promise<ReadonlyMap<string, string>>
  /** Creates a topic; does nothing where it exists. */
  createTopic(topic: NewTopic): Promise<void>
  /** The offset of each partition: its first, its next, or the first whose time is not before these milliseconds. */
  offsets(topic: string, at: 'earliest' | 'latest' | number): Promise<readonly number[]>
  /** Appends, each partition's records together and in order, and says which failed. Tries again only what was not written. */
  produce(batch: readonly PartitionBatch[]): Promise<readonly ProduceFailure[]>
  /** Records of one partition from an offset, without waiting, at least one batch; `next` is where to go on. */
  fetch(topic: string, partition: number, offset: number, maxBytes?: number): Promise<Fetched>
  /** Removes what stands before these offsets, and answers how many that were at most. */
  deleteRecords(topic: string, before: ReadonlyMap<number, number>): Promise<void>
  groups(): Promise<readonly string[]>
  /** What a group has committed on a topic, by partition. */
  committed(group: string, topic: string): Promise<ReadonlyMap<number, Committed>>
  close(): Promise<void>
}

export interface NewTopic {
  readonly topic: string
  readonly partitions: number
  /** -1: the broker's default. */
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}
export interface Committed {
  readonly offset: number
  readonly metadata: string
}
/** Name, value, name, value …: written and read once, and cheaper than an object. Of a repeated name the first counts. */
export type KafkaHeaders = readonly string[]
export interface NewRecord {
  readonly key: string | null
  readonly value: Uint8Array | null
  readonly headers: KafkaHeaders
}
export interface PartitionBatch {
  readonly topic: string
  readonly partition: number
  readonly records: readonly NewRecord[]
  /** Too large as it is: it may fit compressed, where that makes it smaller. Default false. */
  readonly isPacked?: boolean | undefined
}
/** What became of one of the batches. */
export interface ProduceFailure {
  readonly batch: PartitionBatch
  readonly outcome: 'refused' | 'unavailable' | 'unknown'
  /** Refused for its size alone. */
  readonly isTooLarge: boolean
  readonly error: unknown
}
export interface KafkaRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | null
  readonly value: Uint8Array | null
  readonly headers: KafkaHeaders
  /** Of key, value and headers. */
  readonly bytes: number
}
export interface Fetched {
  readonly records: readonly KafkaRecord[]
  /** Where the next fetch begins: records that are none of ours, such as transaction markers, are passed over. */
  readonly next: number
  readonly end: number
}

export interface MemberOptions {
  /** Undefined: no group; all partitions belong to this reader alone and nothing is committed. */
  readonly group: string | undefined
  readonly topic: string
  readonly sessionMs: number
  /** How long others wait for this member when the group changes; longer than `revoking` may take. */
  readonly rebalanceMs: number
}

/** One membership of a group, from its join until the group changes. Commits are signed with it. */
export interface Session {
  readonly partitions: readonly number[]
  /** All partitions of the topic. */
  readonly total: number
  /** One member of a group is its leader. */
  readonly leads: boolean
  /** Whether nobody else can have owned what this member owned in the session before. */
  readonly continues: boolean
  /** The group has begun to change: whoever still prepares for this session should let it be, for others wait. */
  isOver(): boolean
}

export interface MemberEvents {
  /** The group changes: settle what runs, then resolve. Heartbeats go on meanwhile. */
  revoking(): Promise<void>
  /** From where to fetch each partition of the new session. Nothing is fetched before it resolves. May reject once it is over. */
  assigned(session: Session): Promise<ReadonlyMap<number, number>>
  /** Fetched records, in order; none where none came in time. */
  fetched(partition: number, fetched: Fetched): void
  /** Whether more of a partition may be fetched. `KafkaMember.wake` says that the answer has changed. */
  wants(partition: number): boolean
  /** The offset to go on from where the one asked for does not exist. */
  outOfRange(partition: number): Promise<number>
  /** The session is over and others may own its partitions already. */
  lost(cause: Error): void
  /** The topic does not exist. */
  topicMissing(): Promise<void>
  /** Trying to join or to read fails; undefined: it works again. */
  failing(error: unknown): void
}

export interface KafkaMember {
  /**
   * Commits what this member has owned without a break since the session that asks, and passes over the rest; waits where the
   * group is just changing. Fenced: nothing is left of it. `isStart`: the leader also sets where the others begin.
   */
  commit(offsets: ReadonlyMap<number, Committed>, isStart?: boolean): Promise<'committed' | 'fenced'>
  committed(): Promise<ReadonlyMap<number, Committed>>
  wake(): void
  /** Leaves the group, so that others need not wait for the session to end. */
  leave(): Promise<void>
}
