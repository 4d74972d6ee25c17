import './errors.ts'

export { checkFilter, checkId, pageLimit } from './check-query.ts'
export type { DlqFilter, DlqPage, DlqPageOptions, DlqStore } from './dlq-store.ts'
export { memoryDlqStore } from './memory-dlq-store.ts'
