import type { Circuit, CircuitOptions } from './consumer/circuit.ts'
import type { DeadLetterEntry } from './dead-letters.ts'
import type { IncomingDelivery } from './delivery.ts'
import type { Middleware } from './middleware.ts'
import type { RetryPolicy } from './retry-policy.ts'
import type { OrderScope, StartAt } from './transport.ts'

export interface CommonSubscribeOptions {
  /** Deliveries (for batches: batches) running at once in this process. Default 16; for batches 1. */
  readonly concurrency?: number | undefined
  /** Messages fetched and not started. Default twice the concurrency; for batches twice their size. */
  readonly prefetch?: number | undefined
  /** Bytes fetched and not started. Default 8 MiB. */
  readonly prefetchBytes?: number | undefined
  /** How long a message is ours without renewal. Default 30,000. */
  readonly leaseMs?: number | undefined
  /** After this the handler's signal aborts and the outcome is a retry. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** Retries up to this delay wait in this process. Default 1,000. */
  readonly holdMs?: number | undefined
  readonly retry?: RetryPolicy | undefined
  /** Where deliveries of one key neither overlap nor overtake. Default `process` for events with a key. */
  readonly ordered?: OrderScope | undefined
  /** Older messages are acknowledged unhandled, counted as expired and reported. Default: none are. */
  readonly maxAgeMs?: number | undefined
  /** While a key's handler is busy, only the newest of its waiting messages is kept. Default false. */
  readonly latestOnly?: boolean | undefined
  /** Messages it answers false for are acknowledged unhandled and counted; an answer that is no boolean is a failure. */
  readonly filter?: ((delivery: IncomingDelivery) => boolean) | undefined
  /** At most so many handler starts a second in this process. */
  readonly rateLimit?: { readonly perSecond: number; readonly burst?: number | undefined } | undefined
  /**
   * Stops fetching after consecutive failures. Default off; `true` takes 5 failures, 2 successes, 30,000 ms. What
   * `circuitBreaker` returns is shared by the subscriptions that are given it. A batch has failed where none of its messages
   * succeeded.
   */
  readonly circuit?: CircuitOptions | Circuit | boolean | undefined
  readonly use?: readonly Middleware[] | undefined
  /** The transport to read from, by its name on the bus. Default: the event's first route. */
  readonly transport?: string | undefined
  /** `drop` acknowledges what would be dead-lettered, counted and reported, where neither transport nor bus can keep it. */
  readonly deadLetters?: 'keep' | 'drop' | undefined
  /**
   * Whether a key goes on after one of its messages was dead-lettered, or its later messages join it in order until that
   * letter is gone. `blockKey` asks the bus's dead-letter store about every message with a key. Default `continue`.
   */
  readonly afterDeadLetter?: 'continue' | 'blockKey' | undefined
  readonly onDeadLetter?: ((entry: DeadLetterEntry) => void | Promise<void>) | undefined
  /** Where a durable group, or a broadcast, begins that does not exist yet. Default: groups `earliest`, broadcast `latest`. */
  readonly startAt?: StartAt | undefined
}
/** One of the workers that share a group gets each message. */
export type WorkerOptions = CommonSubscribeOptions & {
  readonly name?: undefined
  readonly instance?: undefined
} & (
    | { readonly group: string; readonly mode?: 'worker' | undefined }
    | { readonly mode: 'worker'; readonly group?: string | undefined }
  )
/** Every running instance gets every message. */
export interface BroadcastOptions extends CommonSubscribeOptions {
  readonly mode: 'broadcast'
  readonly group?: undefined
  /** Names the subscription in logs and dead letters. Default: the event's name. */
  readonly name?: string | undefined
  /** A stable name of this instance makes the reader durable. Default: a new one, ephemeral. */
  readonly instance?: string | undefined
}
export type SubscribeOptions = WorkerOptions | BroadcastOptions

export interface BatchOptions {
  /** Default 100. */
  readonly maxItems?: number | undefined
  /** Default 1 MiB. */
  readonly maxBytes?: number | undefined
  /** How long a batch that is not full waits for more. Default 1,000. */
  readonly lingerMs?: number | undefined
}
export type BatchSubscribeOptions = SubscribeOptions & { readonly batch?: BatchOptions | undefined }
