export { type PgDlqOptions, type PgDlqStore, pgDlqStore } from './pg-dlq-store.ts'
