export { type PgOutbox, type PgOutboxOptions, pgOutbox } from './pg-outbox.ts'
