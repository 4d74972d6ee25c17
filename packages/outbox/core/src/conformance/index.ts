import type { ConformanceCase } from '@evt/core/conformance'
import type { OutboxStoreFactory } from './harness.ts'
import { leadCases } from './lead-cases.ts'
import { relayCases } from './relay-cases.ts'
import { rowCases } from './row-cases.ts'

export type { ConformanceCase } from '@evt/core/conformance'
export type { OutboxStoreFactory, OutboxStoreHarness } from './harness.ts'
export { type OutboxHarness, outboxCases } from './outbox-cases.ts'

/** Every promise a store of outbox rows must keep, on a fresh empty store each. */
export function outboxStoreCases<Transaction>(create: OutboxStoreFactory<Transaction>): readonly ConformanceCase[] {
  return [...rowCases(create), ...leadCases(create), ...relayCases(create)]
}
