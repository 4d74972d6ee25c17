export { type PgOutbox, type PgOutboxOptions, type PgRelayOptions, pgOutbox } from './pg-outbox.ts'
export { type PgOutboxStoreOptions, pgOutboxStore } from './pg-outbox-store.ts'
