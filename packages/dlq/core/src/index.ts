import './errors.ts'

export type { DlqFilter, DlqPage, DlqStore } from './dlq-store.ts'
export { memoryDlqStore } from './memory-dlq-store.ts'
