import type { ErrorRecord, Headers } from './transport.ts'

/** A message that will not be retried, with everything an operator needs to understand and replay it. */
export interface DeadLetterEntry {
  /** Deterministic: the same transport of the bus, consumer, topic, position and message give the same id. */
  readonly id: string
  readonly messageId: string | undefined
  readonly event: string
  readonly topic: string
  readonly consumer: string
  readonly position: string
  readonly source: string | undefined
  readonly key: string | undefined
  readonly contentType: string | undefined
  readonly headers: Headers
  readonly payload: Uint8Array
  readonly reason: string
  /** Runs that it had, wherever they were. */
  readonly attempts: number
  /** The failures since it was last taken in here, oldest first: of runs before a retry that waited at the transport only the number is known. */
  readonly history: readonly ErrorRecord[]
  readonly deadLetteredAt: Date
}

/** Where the bus keeps dead letters when it has a store for them. */
export interface DeadLetters {
  readonly name: string
  /** Durable when resolved. Idempotent by `id`: a letter that is already there stays as it is. */
  append(entries: readonly DeadLetterEntry[]): Promise<void>
  /** Those of the keys that have a letter of this consumer and topic. */
  blockedKeys(consumer: string, topic: string, keys: readonly string[]): Promise<readonly string[]>
}
