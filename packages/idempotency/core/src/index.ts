import './errors.ts'

export {
  type ExactlyOnce,
  type ExactlyOnceOptions,
  exactlyOnce,
  type OnceBatchHandler,
  type OnceHandler,
} from './exactly-once.ts'
export {
  type ClaimedByHand,
  type Idempotency,
  type IdempotencyOptions,
  type IdempotencyStats,
  idempotency,
} from './idempotency.ts'
export type { Claim, Claimed, IdempotencyStore } from './idempotency-store.ts'
export type { Entered, InboxSavepoints, InboxStore, PartOutcome } from './inbox-store.ts'
export { type MemoryIdempotencyOptions, memoryIdempotencyStore } from './memory-idempotency-store.ts'
export { type EndingTransaction, type MemoryInboxOptions, memoryInbox } from './memory-inbox.ts'
export { type MessageKey, messageKey } from './message-key.ts'
