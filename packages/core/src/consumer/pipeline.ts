import type { Clock } from '../clock.ts'
import { type DeliveryScope, type IncomingDelivery, ReceivedDelivery } from '../delivery.ts'
import { evtError, isEvtError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { isMessage, type Message } from '../message.ts'
import { compose, inOrder, type Middleware } from '../middleware.ts'
import { acknowledged, asControlFlow, type Outcome, reject, retry } from '../outcome.ts'
import type { Batch, BatchHandler, Handler } from '../subscription.ts'
import type { Entry } from './entry.ts'
import type { ConsumerSettings } from './settings.ts'
import type { SubscriptionStats } from './stats.ts'

export interface PipelineParts {
  readonly consumer: string
  readonly scope: DeliveryScope
  readonly settings: ConsumerSettings
  readonly filter: ((delivery: IncomingDelivery) => boolean) | undefined
  /** Whether an earlier message of the delivery's key is dead-lettered and holds it back; asked before the payload is read. */
  readonly isBlocked: ((delivery: ReceivedDelivery) => Promise<boolean>) | undefined
  readonly middleware: readonly Middleware[]
  readonly stats: SubscriptionStats
  readonly clock: Clock
  readonly logger: Logger
  readonly work:
    | { readonly kind: 'each'; readonly handler: Handler }
    | { readonly kind: 'batch'; readonly handler: BatchHandler }
}
export interface Pipeline {
  /** Calls `end` once, at once where nothing has to be waited for. */
  handle(entry: Entry, end: (entry: Entry, outcome: Outcome) => void): void
  handleBatch(entries: readonly Entry[]): Promise<readonly Outcome[]>
}
type Terminal = (delivery: ReceivedDelivery) => Promise<Outcome>

/** What was too slow once may be well after that. */
const notBegunMs = 1_000
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
  const guarded =
    (terminal: Terminal): Terminal =>
    async (delivery) => {
      try {
        const ready = prepare(delivery)
        const early = ready instanceof Promise ? await ready : ready
        if (early !== undefined) return early
      } catch (thrown) {
        return fail(thrown, delivery.attempt)
      }
      return terminal(delivery)
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
  const meet = (entries: readonly Entry[]): Promise<readonly Outcome[]> => {
    const meeting = new BatchMeeting(entries.length, parts)
    const composed = compose(
      around as never,
      guarded((delivery) => meeting.join(delivery)),
    ) as Terminal
    return Promise.all(
      entries.map(async (entry) => {
        const outcome = await run(entry, composed)
        // One that ended before it reached the handler is not waited for.
        meeting.leave(entry.delivery)
        return outcome
      }),
    )
  }
  /** The same where no middleware is in between: with the handler's promise it makes none for a message that is read at once. */
  const together = async (entries: readonly Entry[]): Promise<readonly Outcome[]> => {
    const outcomes: (Outcome | undefined)[] = []
    const reading: Promise<unknown>[] = []
    for (const [index, entry] of entries.entries()) {
      const failed = (thrown: unknown) => {
        outcomes[index] = fail(thrown, entry.attempt)
      }
      try {
        entry.delivery = new ReceivedDelivery(scope, entry.received, entry.attempt)
        const ready = prepare(entry.delivery)
        if (ready instanceof Promise) {
          const read = ready.then((early) => {
            outcomes[index] = early
          }, failed)
          reading.push(read)
        } else outcomes[index] = ready
      } catch (thrown) {
        failed(thrown)
      }
    }
    if (reading.length > 0) await Promise.all(reading)
    const deliveries: ReceivedDelivery[] = []
    for (const [index, { delivery }] of entries.entries()) if (outcomes[index] === undefined) deliveries.push(delivery!)
    const handled = deliveries.length === 0 ? [] : await handleTogether(parts, deliveries)
    let next = 0
    return entries.map((_entry, index) => outcomes[index] ?? handled[next++]!)
  }
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
    handleBatch: (entries) => (around.length > 0 ? meet(entries) : together(entries)),
  }
}

/** Where the items of a batch wait for each other behind their middleware; then the handler runs once for those that came. */
class BatchMeeting {
  readonly #parts: PipelineParts
  readonly #arrived = new Map<ReceivedDelivery, (outcome: Outcome) => void>()
  #expected: number
  #began = false

  constructor(expected: number, parts: PipelineParts) {
    this.#expected = expected
    this.#parts = parts
  }
  join(delivery: ReceivedDelivery): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#arrived.set(delivery, resolve)
      this.#beginWhenComplete()
    })
  }
  leave(delivery: ReceivedDelivery | undefined): void {
    if (delivery !== undefined && this.#arrived.has(delivery)) return
    this.#expected -= 1
    this.#beginWhenComplete()
  }
  #beginWhenComplete(): void {
    if (this.#began || this.#arrived.size === 0 || this.#arrived.size < this.#expected) return
    this.#began = true
    void this.#run()
  }
  async #run(): Promise<void> {
    const deliveries = [...this.#arrived.keys()]
    const outcomes = await handleTogether(this.#parts, deliveries)
    let index = 0
    for (const resolve of this.#arrived.values()) resolve(outcomes[index++]!)
  }
}

/** One run of the handler for all that may still begin. Never rejects. */
async function handleTogether(
  parts: PipelineParts,
  deliveries: readonly ReceivedDelivery[],
): Promise<readonly Outcome[]> {
  if (deliveries.every(({ abortReason }) => abortReason === undefined)) return handleAll(parts, deliveries)
  const instead = deliveries.map(notBegun)
  const due = deliveries.filter((_delivery, index) => instead[index] === undefined)
  const handled = due.length === 0 ? [] : await handleAll(parts, due)
  let next = 0
  return instead.map((outcome) => outcome ?? handled[next++]!)
}
async function handleAll(
  { work, logger, consumer, settings }: PipelineParts,
  deliveries: readonly ReceivedDelivery[],
): Promise<readonly Outcome[]> {
  const batch = new DeliveredBatch(deliveries, logger)
  try {
    const payloads = deliveries.map((delivery) => delivery.payload)
    const results = await (work.handler as BatchHandler)(payloads, batch)
    if (results === undefined) return deliveries.map((delivery) => succeeded(settings, delivery))
    if (!isSettledList(results)) reject(wrongResult(consumer, results))
    // What is missing may hang on which messages came together.
    if (results.length !== deliveries.length) throw wrongResult(consumer, results)
    return results.map((result, index) =>
      result.status === 'fulfilled'
        ? succeeded(settings, deliveries[index]!)
        : failure(settings, deliveries[index]!, result.reason),
    )
  } catch (thrown) {
    return deliveries.map((delivery) => failure(settings, delivery, thrown))
  }
}

/** A class, because an object made with an accessor has a hidden class of its own, which outlives it and keeps its deliveries. */
class DeliveredBatch implements Batch {
  readonly deliveries: readonly ReceivedDelivery[]
  readonly logger: Logger

  constructor(deliveries: readonly ReceivedDelivery[], logger: Logger) {
    this.deliveries = deliveries
    this.logger = logger
  }
  get signal(): AbortSignal {
    return AbortSignal.any(this.deliveries.map((delivery) => delivery.signal))
  }
}

function tell(resolve: (outcome: Outcome) => void, outcome: Outcome): void {
  resolve(outcome)
}
function keyBlocked(consumer: string, { key = '' }: ReceivedDelivery): Outcome {
  const message = `An earlier message of the key "${key}" is dead-lettered, and this one may not pass it`
  return { status: 'reject', error: evtError('EVT_KEY_BLOCKED', message, { consumer, key }) }
}

function isSettledList(results: unknown): results is readonly PromiseSettledResult<unknown>[] {
  return (
    Array.isArray(results) && results.every((result) => result?.status === 'fulfilled' || result?.status === 'rejected')
  )
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

/** What becomes of a message that was aborted before its handler began, because something was slow that is not to blame on it. */
function notBegun({ abortReason }: ReceivedDelivery): Outcome | undefined {
  if (abortReason === undefined) return undefined
  return { status: 'retry', afterMs: notBegunMs, error: abortReason, counted: false }
}

/** What an error of a handler comes to: late, it is the timeout's; while we close, or have lost it, the message has not failed. */
function failure(settings: ConsumerSettings, delivery: ReceivedDelivery, thrown: unknown): Outcome {
  const flow = asControlFlow(thrown)
  if (isEvtError(delivery.abortReason, 'EVT_SHUTDOWN', 'EVT_LEASE_LOST') && flow === undefined)
    return { status: 'retry', afterMs: 0, error: thrown, counted: false }
  // Work that is durable, or that never began because a store was slow, has not failed however long it took.
  const isBlameless = flow?.action === 'acknowledge' || flow?.counted === false
  return settings.retry.decide((isBlameless ? undefined : timeoutOf(delivery)) ?? thrown, delivery.attempt)
}

/** What the end of a handler comes to: too late, it has failed. */
function succeeded(settings: ConsumerSettings, delivery: ReceivedDelivery): Outcome {
  const late = timeoutOf(delivery)
  return late === undefined ? acknowledged : settings.retry.decide(late, delivery.attempt)
}

function timeoutOf({ abortReason }: ReceivedDelivery): Error | undefined {
  return abortReason !== undefined && isEvtError(abortReason, 'EVT_HANDLER_TIMEOUT') ? abortReason : undefined
}

function checkOutcome(consumer: string, outcome: Outcome): Outcome {
  const { status, afterMs, counted } = (outcome ?? {}) as Partial<Outcome & { readonly status: 'retry' }>
  if (status === ('ack' as string) || status === ('reject' as string)) return outcome
  if (status === 'retry' && Number.isFinite(afterMs) && afterMs! >= 0 && typeof counted === 'boolean') return outcome
  const message = `A middleware of ${consumer} returned no outcome: expected what next gave, or { status: 'retry', afterMs, error, counted }`
  throw evtError('EVT_HANDLER_RESULT', message, { consumer, result: typeof outcome })
}

function wrongResult(consumer: string, result: unknown): Error {
  const shown = typeof result === 'object' ? Object.prototype.toString.call(result) : String(result).slice(0, 100)
  const message = `${consumer} returned ${shown}: expected nothing, messages made by event.of, or for a batch one settled result per item`
  return evtError('EVT_HANDLER_RESULT', message, { consumer, result: shown })
}
