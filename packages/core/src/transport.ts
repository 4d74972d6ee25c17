/** Attributes and metadata of a message as they travel: lower-case names, string values, no prototype. */
export type Headers = Readonly<Record<string, string>>

/** A message on its way to a transport: encoded once, the same bytes for every hop. Read its fields by name: some are made at the first look. */
export interface Outgoing {
  readonly id: string
  readonly topic: string
  readonly key: string | undefined
  readonly headers: Headers
  readonly payload: Uint8Array
  /** The payload itself, for transports that pass it by reference; undefined otherwise. */
  readonly value?: unknown
}

/**
 * What became of one message of a batch that was not accepted. `unknown`: it may have been. In `EVT_PUBLISH_PARTIAL` a message
 * of several transports has one for each that failed, whose error names it; the others have the message.
 */
export interface PublishFailure {
  readonly index: number
  readonly outcome: 'refused' | 'unavailable' | 'unknown'
  readonly error: unknown
}

/** A Date: the first message since then. A position, as deliveries have it: the message right behind it. */
export type StartAt = 'earliest' | 'latest' | Date | { readonly position: string }
export type OrderScope = 'none' | 'process' | 'group'

/** A place where the messages of one event are kept. */
export interface Topic {
  readonly name: string
  /** Messages of one key share a partition, and a partition has one owner per group at a time. Undefined: a plain topic. */
  readonly partitions: number | undefined
}

/** What a transport can do. Core, the documentation and the conformance suite read this value and nothing else. */
export interface TransportSupport {
  readonly durability: 'none' | 'process' | 'broker'
  readonly groups: boolean
  readonly ordering: { readonly plain: OrderScope; readonly partitioned: 'none' | 'group' }
  readonly lease: 'none' | 'message' | 'session'
  readonly fencing: 'none' | 'clock' | 'broker'
  /** `false`: core holds the message and renews its lease. */
  readonly delay: { readonly maxMs: number; readonly precisionMs: number } | false
  readonly attempts: 'exact' | 'deliveries' | 'memory'
  readonly release: 'free' | 'counted' | 'lost'
  readonly starts: readonly ('earliest' | 'latest' | 'time' | 'position')[]
  readonly deadLetters: 'broker' | 'memory' | 'none'
  /** Whether a message can be sent to one group only. */
  readonly targeted: boolean
  readonly lag: 'exact' | 'upperBound' | 'none'
  readonly dedupeWindowMs: number
  readonly retention: 'acknowledged' | 'limits' | 'none'
  /** `prefix`: when a batch fails, everything before the first failure was accepted. */
  readonly publishOrder: 'prefix' | 'independent'
  /** `settled`: publish resolves only when every durable group has settled the message. */
  readonly confirms: 'accepted' | 'settled'
  readonly maxMessageBytes: number
  /** Whether payloads reach handlers in this process as the same object. */
  readonly byReference: boolean
  /** Messages one `read` may return beyond the room it was given. */
  readonly readOverrun: number
}

/**
 * How messages travel. Batches in, batches out, no promise per message. Core guards every call once: adapters never see
 * a use after close, a second open or an illegal option.
 */
export interface Transport {
  readonly name: string
  /** Final once `open` has resolved. */
  readonly supports: TransportSupport
  /** Connects and probes the server. Called for the first bus over it; a rejection may be followed by another call. */
  open(): Promise<void>
  /**
   * Creates or verifies a topic and answers how it is. Partitions are fixed by whoever declares the topic first: another
   * number is `EVT_TRANSPORT_PARTITIONS`, undefined takes what is there. A difference is an error, never an overwrite.
   */
  declare(topic: Topic): Promise<Topic>
  /** Accepts messages of any topics in order. Empty: all accepted. A rejection means the outcome of all is unknown. */
  publish(batch: readonly Outgoing[]): Promise<readonly PublishFailure[]>
  /** Starts reading as a consumer. A durable group exists when this resolves. */
  consume(spec: ConsumeSpec, events: ConsumerEvents): Promise<Consumer>
  /** The state of every consumer of a topic; what cannot be known is null. */
  inspect(topic: string): Promise<readonly ConsumerState[]>
  /** One idempotent step that removes what every group has acknowledged; any process may run it. */
  trim(topic: string): Promise<TrimReport>
  /**
   * Dead letters in the transport's own place, oldest first, behind the one named `after`. Rejects with
   * `EVT_OPTION_UNSUPPORTED` where it has no place.
   */
  readDeadLetters(topic: string, page: DeadLetterPage): Promise<readonly TransportDeadLetter[]>
  /** Removes dead letters from the transport's place; those that are gone already are passed over. */
  removeDeadLetters(topic: string, ids: readonly string[]): Promise<void>
  /** Lets go of everything. Called after the last bus over it has closed its consumers. */
  close(): Promise<void>
}

export interface DeadLetterPage {
  readonly after: string | undefined
  readonly limit: number
}
/** A dead letter in the place of a transport. */
export interface TransportDeadLetter {
  /** Names it in its place. */
  readonly id: string
  readonly consumer: string
  /** Where the message stood in its topic. */
  readonly position: string
  readonly headers: Headers
  readonly payload: Uint8Array
  readonly key: string | undefined
  readonly reason: string
  readonly history: readonly ErrorRecord[]
}

export interface ConsumeSpec {
  readonly topic: string
  /** The identity that work is counted and dead-lettered under. */
  readonly consumer: string
  readonly as: { readonly group: string } | { readonly reader: 'ephemeral' | 'durable' }
  readonly from: StartAt
  readonly ordered: OrderScope
  readonly leaseMs: number
}

/** One reader of a topic. `read` is called by one caller at a time; the other calls may overlap it. */
export interface Consumer {
  /**
   * Waits for at least one delivery or the signal, then resolves empty. Not calling it is the back-pressure. Core ends
   * a wait after some seconds; a call that does not return soon after that is reported and makes the health unhealthy.
   */
  read(room: Room, signal: AbortSignal): Promise<readonly TransportDelivery[]>
  /** Durable when resolved. Returns those refused because their lease was lost; a rejection means try again. */
  settle(batch: readonly Settlement[]): Promise<readonly Refusal[]>
  /** Renews leases and returns the deliveries whose lease was lost. */
  extend(held: readonly TransportDelivery[]): Promise<readonly TransportDelivery[]>
  /** Stops reading. What was not settled becomes available to others once its lease ends. */
  close(): Promise<void>
}

/** How much a read may return. At least one message is returned however large it is. */
export interface Room {
  readonly messages: number
  readonly bytes: number
}

/** What a consumer tells core without being asked. */
export interface ConsumerEvents {
  /** Drain and settle these partitions, then resolve. */
  revoking(partitions: readonly number[], deadlineMs: number): Promise<void>
  /** Too late: abort what runs there. */
  lost(partitions: readonly number[] | 'all', cause: Error): void
  /** Retention removed unread messages. */
  cut(count: number | null, reason: string): void
  /** Something that was missing on the broker, such as a group or stream, was made again. */
  recreated(what: string): void
}

/** One hand-over of a message to a consumer. Read its fields by name: some are made at the first look. */
export interface TransportDelivery {
  readonly headers: Headers
  readonly payload: Uint8Array
  readonly key: string | undefined
  readonly partition: number
  readonly position: string
  /** Runs known to have ended in failure or death, plus one. */
  readonly attempt: number
  /** Hand-overs, this one included. */
  readonly deliveries: number
  /** Redelivered after an unclean end. */
  readonly suspect: boolean
  readonly leaseMs: number
  /** The payload itself where the transport passes it by reference. */
  readonly value?: unknown
  /** The adapter's own handle. */
  readonly receipt: unknown
}

/** One error of a message's past, as kept with its dead letter. */
export interface ErrorRecord {
  readonly attempt: number
  readonly name: string
  readonly message: string
  readonly code: string | undefined
  readonly at: string
}

export type Settlement = { readonly delivery: TransportDelivery } & (
  | { readonly as: 'ack' }
  | { readonly as: 'release'; readonly attempt: number }
  | { readonly as: 'started' }
  | { readonly as: 'retry'; readonly attempt: number; readonly afterMs: number }
  | { readonly as: 'deadLetter'; readonly reason: string; readonly history: readonly ErrorRecord[] }
)
/** A settlement that had no effect, because the lease was lost. */
export interface Refusal {
  readonly delivery: TransportDelivery
  readonly reason: string
}

export interface ConsumerState {
  readonly consumer: string
  /** Messages not yet handed over. */
  readonly lag: number | null
  /** The same of each partition, where it is known of each. */
  readonly lagByPartition?: readonly number[] | undefined
  readonly running: number | null
  readonly delayed: number | null
  readonly deadLettered: number | null
  /**
   * The age of the oldest message that is not settled, whoever has it: of a handler that is stuck, too. One whose retry was
   * given a delay may be left out until it is due.
   */
  readonly oldestMs: number | null
}

export interface TrimReport {
  readonly removed: number
  /** The consumer that still needs the oldest message left, where one is known. */
  readonly heldBackBy: string | null
}
