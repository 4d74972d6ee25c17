import type { Clock } from './clock.ts'
import type { Logger } from './logger.ts'
import type { Outgoing, PublishFailure, TransportSupport } from './transport.ts'

/** A message of an outbox row: what goes out, and over which of the bus's transports. */
export interface StoredMessage extends Outgoing {
  readonly transport: string
}

/** Runs work in a transaction that publishing inside finds by itself. */
export interface Transactions<Transaction> {
  /** Runs work in a transaction; inside another one of the same database it joins that one. Commits when work resolves. */
  run<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result>
  /** Makes a transaction that somebody else opened the ambient one while work runs. Its owner commits. */
  join<Result>(transaction: Transaction, work: () => Promise<Result>): Promise<Result>
  /** The transaction of the calling context, also when it has ended already: using it then is `EVT_TX_CLOSED`. */
  ambient(): Transaction | undefined
}

/** Keeps messages beside the effects that caused them until a relay has published them. */
export interface Outbox<Transaction = never> {
  readonly name: string
  readonly '~transaction'?: ((transaction: Transaction) => void) | undefined
  /** The transaction of the calling context, if any. */
  ambient(): unknown
  /**
   * Adds messages to a transaction. Resolves once the transaction will carry them; rejects with `EVT_TX_CLOSED`,
   * `EVT_TRANSACTION_FOREIGN` or `EVT_OUTBOX_NO_TRANSACTION`, and then nothing of the batch is kept.
   */
  append(transaction: unknown, messages: readonly StoredMessage[]): Promise<void>
  /** Adds messages in a transaction of its own; durable when resolved. */
  store(messages: readonly StoredMessage[]): Promise<void>
  /** Hands over where to publish and starts the relay, unless it was switched off. */
  start(target: RelayTarget): Promise<void>
  /** Stops the relay: no publish begins afterwards and those under way are awaited. Idempotent. */
  stop(): Promise<void>
  /** What `health` reports of it. */
  health(): Promise<PartHealth>
}

/** What a relay publishes through: the bus. */
export interface RelayTarget {
  readonly clock: Clock
  readonly logger: Logger
  /** The names of the bus's transports. */
  readonly transports: readonly string[]
  /** What the named transport promises, or undefined where the bus has none of that name. */
  supports(
    transport: string,
  ): Pick<TransportSupport, 'durability' | 'publishOrder' | 'confirms' | 'maxMessageBytes'> | undefined
  publish(transport: string, batch: readonly Outgoing[]): Promise<readonly PublishFailure[]>
}

export interface PartHealth {
  readonly name: string
  readonly status: 'healthy' | 'degraded' | 'unhealthy'
  readonly reason?: string | undefined
}
