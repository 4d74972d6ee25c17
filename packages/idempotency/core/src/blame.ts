import { acknowledge, type Delivery, isEvtError, retry, retryDecision } from '@evt/core'
import type { Entered } from './inbox-store.ts'

type Aborted = Pick<Delivery, 'abortReason'>

const heldRetry = { afterMs: 100, counted: false }
const { decide } = retryDecision()
const isAcknowledgement = (thrown: unknown) => decide(thrown, 1).status === 'ack'

/** Runs a handler inside its transaction. One that ends with `acknowledge` has succeeded, so what it did is committed. */
export async function resultOf<Result>(handle: () => Result | Promise<Result>): Promise<Result | undefined> {
  try {
    return await handle()
  } catch (thrown) {
    if (isAcknowledgement(thrown)) return undefined
    throw thrown
  }
}

/** Why a transaction was rolled back, as its message is to fail: nothing of it is left that could be acknowledged. */
export function failureOfRun(error: unknown): unknown {
  if (!isAcknowledgement(error)) return error
  return new Error('A nested transaction ended with acknowledge, which rolled everything back: return from it', {
    cause: error,
  })
}

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
