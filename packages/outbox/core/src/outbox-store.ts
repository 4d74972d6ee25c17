import type { StoredMessage } from '@evt/core'

/** Grows in the order rows were written. */
export type Position = string

export interface OutboxRow {
  readonly position: Position
  readonly message: StoredMessage
}
/** The right to publish, until it ends by the store's clock. */
export interface Lease {
  readonly owner: string
  readonly token: string
}
export interface ReadRange {
  /** Exclusive; undefined means from the start of the table. */
  readonly after: Position | undefined
  readonly upTo: Position
  /** Keys that are blocked, each as `<transport>\n<key>`. */
  readonly skipKeys: readonly string[]
  readonly limit: number
}

/**
 * Rows of messages that were committed and not yet published. Any number of relays may read; what keeps order is that a
 * reader fixes `bound` once and then reads everything up to it from the start.
 */
export interface OutboxStore<Transaction> {
  readonly name: string
  /** Writes rows with the transaction, in one statement. */
  append(transaction: Transaction, messages: readonly StoredMessage[]): Promise<void>
  /** Takes or renews the lead; null while somebody else has it. Time is the store's own. */
  lead(owner: string, leaseMs: number): Promise<Lease | null>
  release(lease: Lease): Promise<void>
  /** The newest committed position; null when there is none. */
  bound(): Promise<Position | null>
  read(range: ReadRange): Promise<readonly OutboxRow[]>
  /** Not fenced: whoever has published a row may delete it. */
  delete(positions: readonly Position[]): Promise<void>
  /** Puts refused rows aside with their reason. Fenced: false, and nothing done, where the lease is no longer held. */
  park(lease: Lease, rows: readonly { readonly position: Position; readonly reason: string }[]): Promise<boolean>
  count(): Promise<{ readonly waiting: number; readonly parked: number }>
}
