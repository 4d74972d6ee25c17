import { ReceivedDelivery } from '../delivery.ts'
import type { Logger } from '../logger.ts'
import { compose } from '../middleware.ts'
import { type Outcome, reject } from '../outcome.ts'
import type { Batch, BatchHandler } from '../subscription.ts'
import type { Entry } from './entry.ts'
import type { Around, Pipeline, PipelineParts, Steps, Terminal } from './pipeline-parts.ts'
import { failure, notBegun, succeeded, wrongResult } from './run-outcome.ts'

/** What runs around the deliveries of a batch, and its handler once for all of them. Never rejects. */
export function batchPipeline(
  parts: PipelineParts,
  around: readonly Around[],
  { prepare, fail, run }: Steps,
): Pipeline['handleBatch'] {
  const { scope } = parts
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
  return around.length > 0 ? meet : together
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

function isSettledList(results: unknown): results is readonly PromiseSettledResult<unknown>[] {
  return (
    Array.isArray(results) && results.every((result) => result?.status === 'fulfilled' || result?.status === 'rejected')
  )
}
