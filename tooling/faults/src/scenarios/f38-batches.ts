import type { Scenario, Size } from '../scenario.ts'
import { killConsumers } from './f01-kill-consumers.ts'
import { killBeforeSettlement } from './f02-kill-before-settlement.ts'
import { duplicates } from './f16-duplicates.ts'

const inBatches = (size: Size): Size => ({ ...size, batch: 1 })

/** The same again, handled in batches: a fast path must keep every promise of the slow one. */
export const batches: readonly Scenario[] = [killConsumers, killBeforeSettlement, duplicates].map((scenario) => ({
  ...scenario,
  id: `F38-${scenario.id}`,
  title: `in batches: ${scenario.title}`,
  quick: inBatches(scenario.quick),
  long: inBatches(scenario.long),
}))
