import type { MessageKey } from './message-key.ts'

/** A claim on a message. Its owner is never used twice, so that a claim is told from a later one even if its fence recurs. */
export interface Claim {
  readonly consumer: string
  readonly key: MessageKey
  readonly owner: string
  readonly fence: bigint
}
export type Claimed =
  | { readonly status: 'claimed'; readonly fence: bigint }
  | { readonly status: 'done' }
  | { readonly status: 'held'; readonly retryAfterMs: number }

/**
 * Remembers, without a transaction, who is at a message and which are done. Time is the store's own. What a claim's holder
 * asks for has an effect only while owner and fence are still the claim's; the answer says whether.
 */
export interface IdempotencyStore {
  readonly name: string
  /** One answer per key, in order. The fence grows with every claim of a record that the store still has. */
  claim(
    consumer: string,
    keys: readonly MessageKey[],
    options: { readonly owner: string; readonly leaseMs: number },
  ): Promise<readonly Claimed[]>
  renew(claims: readonly Claim[], leaseMs: number): Promise<readonly boolean[]>
  /** The messages are done, and remembered for so long. */
  complete(claims: readonly Claim[], ttlMs: number): Promise<readonly boolean[]>
  /** The messages are not done; whoever comes next may claim them. */
  release(claims: readonly Claim[]): Promise<readonly boolean[]>
}
