export { type PgIdempotencyOptions, type PgIdempotencyStore, pgIdempotencyStore } from './pg-idempotency-store.ts'
export { type PgInbox, type PgInboxOptions, pgInbox } from './pg-inbox.ts'
