import { acknowledge, type Delivery, isEvtError, retry } from '@evt/core'
import type { Entered } from './inbox-store.ts'

type Aborted = Pick<Delivery, 'abortReason'>

const heldRetry = { afterMs: 100, counted: false }

/**
 * Whether a run that failed must burn no attempt: the inbox had not answered, the database is down, or nobody knows whether
 * the commit happened, which the next run asks the inbox. What is dead-lettered has no effect in the database, therefore.
 */
export function isBlameless(error: unknown, handlerBegan: boolean): boolean {
  return !handlerBegan || (isEvtError(error) && (error.code === 'EVT_TX_OUTCOME_UNKNOWN' || error.retryable))
}

/** Ends the run of a message whose transaction has committed. Returns where it may end as any other; throws otherwise. */
export function endOfCommitted(entered: Entered, { abortReason }: Aborted): void {
  if (entered === 'held') retry(new Error('another delivery of this message is being handled'), heldRetry)
  if (abortReason !== undefined) acknowledge()
}

/** A run that was aborted leaves nothing behind: asked before the handler and before the commit. */
export function throwIfAborted(deliveries: readonly Aborted[]): void {
  for (const { abortReason } of deliveries) if (abortReason !== undefined) throw abortReason
}
