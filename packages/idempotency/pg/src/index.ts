export { type PgInbox, type PgInboxOptions, pgInbox } from './pg-inbox.ts'
