import type { Subscription } from '@evt/core'
import { turn } from './event-loop.ts'
import type { Ledger } from './ledger.ts'
import type { Draft, RunningHandler, Tracker } from './tracker.ts'

/** What one consumer still has to do. */
export interface ConsumerWork {
  readonly consumer: string
  /** In the transport, not handed over. */
  queued: number
  /** In the transport, waiting for a delayed retry. */
  delayed: number
  /** Handed over and not settled: everything below, and what is on its way in or out. */
  leased: number
  /** In the process, waiting for a retry. */
  held: number
  /** In the process, not started: behind a key, for a batch to fill, for a slot. */
  waiting: number
  running: number
  reasons: string[]
}

/** Everything a bus has not finished. */
export interface Outstanding {
  readonly publishing: readonly Draft[]
  readonly running: readonly RunningHandler[]
  readonly consumers: readonly ConsumerWork[]
  readonly outboxRows: number
}

/**
 * `busy`: somebody's code runs. `moving`: messages are between two places. `timed`: all that is left waits for the clock, or for
 * somebody to resume it. `idle`: nothing is left.
 */
export type Phase = 'busy' | 'moving' | 'timed' | 'idle'

export function phaseOf(outstanding: Outstanding): Phase {
  const { publishing, running, consumers, outboxRows } = outstanding
  if (publishing.length > 0 || running.length > 0) return 'busy'
  if (outboxRows > 0 || consumers.some((work) => inTransit(work) > 0)) return 'moving'
  return consumers.some((work) => work.queued + work.delayed + work.leased > 0) ? 'timed' : 'idle'
}

/** Whether what is left of a consumer waits for nothing but a later time. */
export function waitsForTime(work: ConsumerWork): boolean {
  const onTimers = work.delayed + work.held + work.waiting
  return work.queued + work.leased + work.delayed === 0 || (onTimers > 0 && !work.reasons.includes(pausedReason))
}

function inTransit(work: ConsumerWork): number {
  return work.leased - work.held - work.waiting - work.running
}

const pausedReason = 'it is paused'

export async function lookAt(
  tracker: Tracker,
  ledger: Ledger,
  subscriptions: Iterable<Subscription>,
  countOutbox: () => Promise<number>,
): Promise<Outstanding> {
  const byConsumer = new Map<string, ConsumerWork>()
  const workOf = (consumer: string) => {
    let work = byConsumer.get(consumer)
    if (work === undefined) {
      work = { consumer, queued: 0, delayed: 0, leased: 0, held: 0, waiting: 0, running: 0, reasons: [] }
      byConsumer.set(consumer, work)
    }
    return work
  }
  const outboxRows = await countOutbox()
  // Counting may have been real work, which leaves promises half way; what follows must be one picture.
  await turn()
  for (const { state } of await ledger.states()) {
    const work = workOf(state.consumer)
    work.queued += state.lag ?? 0
    work.delayed += state.delayed ?? 0
    work.leased += state.running ?? 0
  }
  for (const subscription of subscriptions) {
    if (subscription.state === 'closed') continue
    const work = workOf(subscription.consumer)
    const { held, waiting } = subscription.stats()
    work.held += held
    work.waiting += waiting
    for (const { reason } of subscription.health().parts) if (reason !== undefined) work.reasons.push(reason)
  }
  for (const handler of tracker.running) workOf(handler.consumer).running += 1
  return {
    publishing: [...tracker.publishing],
    running: [...tracker.running],
    consumers: [...byConsumer.values()],
    outboxRows,
  }
}

/** One sentence for everything that is not finished, worst first. */
export function describeOutstanding(outstanding: Outstanding): readonly string[] {
  const sentences = outstanding.running.map(
    ({ consumer, type, id, attempt }) => `${consumer} is still running "${type}" ${id}, attempt ${attempt}`,
  )
  for (const { type, id } of outstanding.publishing) sentences.push(`"${type}" ${id} is still being published`)
  for (const work of outstanding.consumers) {
    const parts = [
      [work.queued, 'queued'],
      [work.waiting, 'waiting to start'],
      [work.held + work.delayed, 'waiting for a retry'],
      [inTransit(work), 'being settled'],
    ] as const
    const counted = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
    const why = work.reasons.length === 0 ? '' : ` (${work.reasons.join('; ')})`
    if (counted.length > 0) sentences.push(`${work.consumer} has messages left: ${counted.join(', ')}${why}`)
  }
  if (outstanding.outboxRows > 0) sentences.push(`the outbox has ${outstanding.outboxRows} messages left`)
  return sentences
}
