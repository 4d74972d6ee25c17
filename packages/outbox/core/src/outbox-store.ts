import type { StoredMessage } from '@evt/core'

/** Grows in the order rows were written. Opaque to everybody but the store. */
export type Position = string

/** A row that waits. `message` is undefined where the row cannot be read; `unreadable` then says why. */
export interface OutboxRow {
  readonly position: Position
  readonly key: string | undefined
  readonly message: StoredMessage | undefined
  readonly unreadable?: string | undefined
}
/** The right to publish, until it ends by the store's clock. */
export interface Lease {
  readonly owner: string
  readonly token: string
}
/** A lease just taken or renewed, with the bound of that moment: an idle relay asks one question instead of two. */
export interface Lead extends Lease {
  readonly bound: Position | null
}
export interface ReadRange {
  /** Rows of this transport, or of none of these. */
  readonly transport: { readonly only: string } | { readonly noneOf: readonly string[] }
  /** Exclusive; undefined means from the start of the table. */
  readonly after: Position | undefined
  readonly upTo: Position
  readonly skipKeys: readonly string[]
  readonly limit: number
  /** The row with which the payloads reach so many bytes is the last one returned. */
  readonly maxBytes: number
}
export interface ParkedRow {
  readonly position: Position
  readonly reason: string
}

/** What a store can promise once it has been asked. The relay and the conformance suite read it. */
export interface StoreSupport {
  /** What committed rows survive: a crash of the server, a clean restart of it only, or not even this process. */
  readonly durability: 'synced' | 'relaxed' | 'volatile'
  /** The database's identity; transactions of another one are refused. */
  readonly scope: string
}

/**
 * Rows of messages that were committed and not yet published. Any number of relays may read; what keeps order is that a
 * reader fixes `bound` once and then reads everything up to it from the start.
 */
export interface OutboxStore<Transaction> {
  readonly name: string
  /** Asks the store what it can promise. */
  probe(): Promise<StoreSupport>
  /** Writes rows with the transaction, in one statement. Any string survives; none of them aborts the transaction. */
  append(transaction: Transaction, messages: readonly StoredMessage[]): Promise<void>
  /** Takes or renews the lead; null while somebody else has it. Time is the store's own; the token grows with each owner. */
  lead(owner: string, leaseMs: number): Promise<Lead | null>
  /** Gives the lead back; nothing where it is no longer held. */
  release(lease: Lease): Promise<void>
  /** The newest committed position; null when there is none. */
  bound(): Promise<Position | null>
  /** In the order of positions. Fewer rows than `limit` and fewer bytes than `maxBytes` mean that there are no more. */
  read(range: ReadRange): Promise<readonly OutboxRow[]>
  /** Idempotent and not fenced: whoever has published a row may delete it. */
  delete(positions: readonly Position[]): Promise<void>
  /** Puts refused rows aside with their reason. Fenced: false, and nothing done, where the lease is no longer held. */
  park(lease: Lease, rows: readonly ParkedRow[]): Promise<boolean>
  count(): Promise<{ readonly waiting: number; readonly parked: number }>
}
