import { ReceivedDelivery } from '../delivery.ts'
import { evtError, isEvtError } from '../errors.ts'
import { isMessage, type Message } from '../message.ts'
import { compose, inOrder } from '../middleware.ts'
import { acknowledged, type Outcome, reject, retry } from '../outcome.ts'
import type { Handler } from '../subscription.ts'
import { batchPipeline } from './batch-pipeline.ts'
import type { Entry } from './entry.ts'
import type { Pipeline, PipelineParts, Terminal } from './pipeline-parts.ts'
import { failure, notBegun, succeeded, wrongResult } from './run-outcome.ts'

const invalid = [
  'EVT_CODEC_DECODE',
  'EVT_CODEC_UNKNOWN',
  'EVT_PAYLOAD_INVALID',
  'EVT_PAYLOAD_VERSION',
  'EVT_ENVELOPE_INVALID',
] as const

/** Composes once what runs around every delivery of a consumer. Nothing thrown inside escapes it. */
export function createPipeline(parts: PipelineParts): Pipeline {
  const { settings, stats, clock, scope, filter, work } = parts
  const around = inOrder(parts.middleware).flatMap((each) =>
    each.consume === undefined ? [] : [each.consume.bind(each)],
  )
  const { decide } = settings.retry

  /** Everything that comes before the handler; an outcome where it need not run. */
  const prepare = (delivery: ReceivedDelivery): Promise<Outcome | undefined> | Outcome | undefined => {
    if (parts.isBlocked === undefined) return read(delivery)
    return parts
      .isBlocked(delivery)
      .then((blocked) => (blocked ? keyBlocked(parts.consumer, delivery) : read(delivery)))
  }
  const read = (delivery: ReceivedDelivery): Promise<Outcome | undefined> | Outcome | undefined => {
    if (settings.maxAgeMs !== undefined && clock.nowMs() - delivery.time.getTime() > settings.maxAgeMs) {
      stats.expired += 1
      parts.logger.warn({ consumer: parts.consumer, id: delivery.id }, 'message expired')
      return acknowledged
    }
    const decoded = delivery.decode()
    return decoded instanceof Promise ? decoded.then(() => choose(delivery)) : choose(delivery)
  }
  const choose = (delivery: ReceivedDelivery) => {
    if (filter === undefined || filter(delivery)) return undefined
    stats.filtered += 1
    return acknowledged
  }
  /** For what goes wrong before the handler: a message that cannot be read gets no better by trying again. */
  const fail = (thrown: unknown, attempt: number): Outcome =>
    isEvtError(thrown, ...invalid) ? { status: 'reject', error: thrown } : decide(thrown, attempt)

  /** Runs one delivery. With the handler's own promise it makes none but those that something has to be waited for. */
  const begin = <Told>(delivery: ReceivedDelivery, told: Told, end: (told: Told, outcome: Outcome) => void): void => {
    let ready: ReturnType<typeof prepare>
    try {
      ready = prepare(delivery)
    } catch (thrown) {
      return end(told, fail(thrown, delivery.attempt))
    }
    if (ready === undefined) return call(delivery, told, end)
    if (!(ready instanceof Promise)) return end(told, ready)
    ready.then(
      (early) => {
        const instead = early ?? notBegun(delivery)
        if (instead === undefined) call(delivery, told, end)
        else end(told, instead)
      },
      (thrown) => end(told, fail(thrown, delivery.attempt)),
    )
  }
  const call = <Told>(delivery: ReceivedDelivery, told: Told, end: (told: Told, outcome: Outcome) => void): void => {
    const failed = (thrown: unknown) => end(told, failure(settings, delivery, thrown))
    const returned = (result: unknown): void => {
      if (result === undefined) end(told, succeeded(settings, delivery))
      else publishResult(parts, delivery, result).then(() => end(told, succeeded(settings, delivery)), failed)
    }
    let result: unknown
    try {
      result = (work.handler as Handler)(delivery.payload, delivery)
    } catch (thrown) {
      return failed(thrown)
    }
    if (result === undefined) return returned(result)
    // Query builders are thenable without being promises.
    Promise.resolve(result).then(returned, failed)
  }
  const run = async (entry: Entry, composed: Terminal): Promise<Outcome> => {
    try {
      const delivery = new ReceivedDelivery(scope, entry.received, entry.attempt)
      entry.delivery = delivery
      const outcome = await composed(delivery)
      return checkOutcome(parts.consumer, outcome)
    } catch (thrown) {
      return fail(thrown, entry.attempt)
    }
  }
  const single = compose(
    around as never,
    (delivery: ReceivedDelivery) =>
      new Promise<Outcome>((resolve) => {
        const instead = notBegun(delivery)
        if (instead === undefined) begin(delivery, resolve, tell)
        else resolve(instead)
      }),
  )
  return {
    handle(entry, end) {
      if (around.length > 0) {
        void run(entry, single).then((outcome) => end(entry, outcome))
        return
      }
      try {
        entry.delivery = new ReceivedDelivery(scope, entry.received, entry.attempt)
      } catch (thrown) {
        return end(entry, fail(thrown, entry.attempt))
      }
      begin(entry.delivery, entry, end)
    },
    handleBatch: batchPipeline(parts, around, { prepare, fail, run }),
  }
}

function tell(resolve: (outcome: Outcome) => void, outcome: Outcome): void {
  resolve(outcome)
}
function keyBlocked(consumer: string, { key = '' }: ReceivedDelivery): Outcome {
  const message = `An earlier message of the key "${key}" is dead-lettered, and this one may not pass it`
  return { status: 'reject', error: evtError('EVT_KEY_BLOCKED', message, { consumer, key }) }
}

async function publishResult(parts: PipelineParts, delivery: ReceivedDelivery, result: unknown): Promise<void> {
  const messages: readonly unknown[] = Array.isArray(result) ? result : [result]
  // It would return the same again, and do its work again before that.
  if (!messages.every(isMessage)) reject(wrongResult(parts.consumer, result))
  // The outcome is decided already: what a handler brings after its timeout is not published, its rerun brings it again.
  const { abortReason } = delivery
  if (abortReason !== undefined) throw abortReason
  try {
    await delivery.publishDerived(messages as readonly Message[])
  } catch (error) {
    if (isRefused(error)) reject(error)
    // The way out is blocked; the message has not failed.
    if (isEvtError(error) && (error.retryable || isEvtError(error, ...unclear))) retry(error, { counted: false })
    throw error
  }
}
const unclear = ['EVT_PUBLISH_PARTIAL', 'EVT_PUBLISH_UNKNOWN', 'EVT_TX_OUTCOME_UNKNOWN'] as const
const refused = ['EVT_PUBLISH_REFUSED', 'EVT_PAYLOAD_INVALID', 'EVT_PAYLOAD_TOO_LARGE', 'EVT_CODEC_ENCODE'] as const

function isRefused(error: unknown): boolean {
  if (!isEvtError(error, 'EVT_PUBLISH_PARTIAL')) return isEvtError(error, ...refused)
  return error.details.failures.some((failed) => failed.outcome === 'refused')
}

function checkOutcome(consumer: string, outcome: Outcome): Outcome {
  const { status, afterMs, counted } = (outcome ?? {}) as Partial<Outcome & { readonly status: 'retry' }>
  if (status === ('ack' as string) || status === ('reject' as string)) return outcome
  if (status === 'retry' && Number.isFinite(afterMs) && afterMs! >= 0 && typeof counted === 'boolean') return outcome
  const message = `A middleware of ${consumer} returned no outcome: expected what next gave, or { status: 'retry', afterMs, error, counted }`
  throw evtError('EVT_HANDLER_RESULT', message, { consumer, result: typeof outcome })
}
