export type { ConformanceCase } from '@evt/core/conformance'
export { type IdempotencyHarness, idempotencyCases } from './idempotency-cases.ts'
export { type InboxHarness, inboxCases } from './inbox-cases.ts'
