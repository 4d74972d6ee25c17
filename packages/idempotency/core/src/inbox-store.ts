import type { MessageKey } from './message-key.ts'

/** What entering the inbox found: `held` means another transaction is at it right now. */
export type Entered = 'fresh' | 'done' | 'held'

/** What became of a part of a transaction: `undone` left nothing behind, and the transaction can go on. */
export type PartOutcome = { readonly status: 'kept' } | { readonly status: 'undone'; readonly error: unknown }

/** How a part of a transaction is taken back alone. */
export interface InboxSavepoints<Transaction> {
  /**
   * Runs work as a part of the transaction, with a handle of its own that ends with it. Rejects where the transaction is over as a
   * whole: then it can only be rolled back.
   */
  attempt(transaction: Transaction, work: (part: Transaction) => Promise<unknown>): Promise<PartOutcome>
  /** Takes back the entries of messages that this transaction entered, as if it had never met them. */
  leave(transaction: Transaction, consumer: string, keys: readonly MessageKey[]): Promise<void>
}

/** Remembers, in the transaction of the effect, which messages a consumer has handled. */
export interface InboxStore<Transaction> {
  readonly name: string
  /** The database's identity, once it is known. */
  readonly scope?: string | undefined
  /** Where the database has none, each part of a set gets a transaction of its own. */
  readonly savepoints?: InboxSavepoints<Transaction> | undefined
  /**
   * Enters messages for a consumer; one answer per key, in order. Never waits for another transaction. An entry lasts when
   * the transaction commits and is gone when it rolls back.
   */
  enter(transaction: Transaction, consumer: string, keys: readonly MessageKey[]): Promise<readonly Entered[]>
}
