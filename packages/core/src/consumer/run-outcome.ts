import type { ReceivedDelivery } from '../delivery.ts'
import { evtError, isEvtError } from '../errors.ts'
import { acknowledged, asControlFlow, type Outcome } from '../outcome.ts'
import type { ConsumerSettings } from './settings.ts'

/** What was too slow once may be well after that. */
const notBegunMs = 1_000

/** What becomes of a message that was aborted before its handler began, because something was slow that is not to blame on it. */
export function notBegun({ abortReason }: ReceivedDelivery): Outcome | undefined {
  if (abortReason === undefined) return undefined
  return { status: 'retry', afterMs: notBegunMs, error: abortReason, counted: false }
}

/** What an error of a handler comes to: late, it is the timeout's; while we close, or have lost it, the message has not failed. */
export function failure(settings: ConsumerSettings, delivery: ReceivedDelivery, thrown: unknown): Outcome {
  const flow = asControlFlow(thrown)
  if (isEvtError(delivery.abortReason, 'EVT_SHUTDOWN', 'EVT_LEASE_LOST') && flow === undefined)
    return { status: 'retry', afterMs: 0, error: thrown, counted: false }
  // Work that is durable, or that never began because a store was slow, has not failed however long it took.
  const isBlameless = flow?.action === 'acknowledge' || flow?.counted === false
  return settings.retry.decide((isBlameless ? undefined : timeoutOf(delivery)) ?? thrown, delivery.attempt)
}

/** What the end of a handler comes to: too late, it has failed. */
export function succeeded(settings: ConsumerSettings, delivery: ReceivedDelivery): Outcome {
  const late = timeoutOf(delivery)
  return late === undefined ? acknowledged : settings.retry.decide(late, delivery.attempt)
}

function timeoutOf({ abortReason }: ReceivedDelivery): Error | undefined {
  return abortReason !== undefined && isEvtError(abortReason, 'EVT_HANDLER_TIMEOUT') ? abortReason : undefined
}

export function wrongResult(consumer: string, result: unknown): Error {
  const shown = typeof result === 'object' ? Object.prototype.toString.call(result) : String(result).slice(0, 100)
  const message = `${consumer} returned ${shown}: expected nothing, messages made by event.of, or for a batch one settled result per item`
  return evtError('EVT_HANDLER_RESULT', message, { consumer, result: shown })
}
