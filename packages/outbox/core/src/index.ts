import './errors.ts'

export { type MemoryOutbox, type MemoryOutboxOptions, memoryOutbox } from './memory-outbox.ts'
export { memoryOutboxStore } from './memory-outbox-store.ts'
export { type MemoryTransaction, type MemoryTransactions, memoryTransactions } from './memory-transactions.ts'
export type {
  Lead,
  Lease,
  OutboxRow,
  OutboxStore,
  ParkedRow,
  Position,
  ReadRange,
  StoreSupport,
} from './outbox-store.ts'
export { createRelay, type DrainOptions, type Relay, type RelayOptions } from './relay.ts'
