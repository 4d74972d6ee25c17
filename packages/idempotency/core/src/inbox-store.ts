import type { MessageKey } from './message-key.ts'

/** What entering the inbox found: `held` means another transaction is at it right now. */
export type Entered = 'fresh' | 'done' | 'held'

/** Remembers, in the transaction of the effect, which messages a consumer has handled. */
export interface InboxStore<Transaction> {
  readonly name: string
  /** The database's identity, once it is known. */
  readonly scope?: string | undefined
  /**
   * Enters messages for a consumer; one answer per key, in order. Never waits for another transaction. An entry lasts when
   * the transaction commits and is gone when it rolls back.
   */
  enter(transaction: Transaction, consumer: string, keys: readonly MessageKey[]): Promise<readonly Entered[]>
}
