import { isEvtError } from '../errors.ts'
import type { Outcome } from '../outcome.ts'
import type { Settlement } from '../transport.ts'
import { type Entry, errorRecord } from './entry.ts'
import type { RunEnd } from './gate.ts'
import { Hindrance } from './hindrance.ts'
import type { Holdings } from './holdings.ts'
import type { PumpParts } from './pump-parts.ts'
import { Settler } from './settler.ts'

const deadLetterRetryMs = 1_000

interface EndingHooks {
  /** Something is ready, or a place is free. */
  startReady(): void
  /** There is room to read again. */
  onForgotten(): void
}

/** What becomes of messages after their run: settled, kept for the next attempt, dead-lettered or given back. */
export class Endings {
  readonly settler: Settler
  readonly hindrance: Hindrance
  /** From now on nothing is kept for a next attempt. */
  isStopping = false
  readonly #parts: PumpParts
  readonly #holdings: Holdings
  readonly #hooks: EndingHooks
  readonly #settled = (entry: Entry, result: 'settled' | 'refused' | 'abandoned'): void => {
    if (result === 'refused') this.#parts.stats.lost += 1
    this.forget(entry)
  }

  constructor(parts: PumpParts, holdings: Holdings, hooks: EndingHooks) {
    this.#parts = parts
    this.#holdings = holdings
    this.#hooks = hooks
    this.hindrance = new Hindrance(parts.clock, parts.stats, (error) => parts.work.report(error, 'held back'))
    this.settler = new Settler(parts.consumer, parts.clock, (error) => parts.work.report(error, 'settle'))
  }
  /** Answers whether the handler is to blame. */
  finish(entry: Entry, decided: Outcome | 'release'): RunEnd {
    const { stats } = this.#parts
    if (!this.#holdings.running.remove(entry)) return 'neither'
    if (entry.timedOut) this.#holdings.overdue -= 1
    if (entry.lost) {
      this.forget(entry)
      return 'neither'
    }
    const outcome = this.#afterAbort(entry, decided)
    if (outcome === 'release') {
      stats.released += 1
      this.settle(entry, { delivery: entry.received, as: 'release', attempt: entry.attempt })
      // It comes back: what waits for it in its lane must not pass it meanwhile.
      if (entry.lane !== undefined) this.releaseUnstarted(({ lane }) => lane === entry.lane)
      return 'neither'
    }
    if (outcome.status === 'ack') {
      stats.acknowledged += 1
      this.settle(entry, { delivery: entry.received, as: 'ack' })
    } else if (outcome.status === 'retry') this.#retry(entry, outcome)
    else void this.deadLetter(entry, outcome.error)
    return endOf(outcome)
  }
  #afterAbort(entry: Entry, outcome: Outcome | 'release'): Outcome | 'release' {
    if (outcome === 'release') return outcome
    // What comes after a timeout was decided where the handler ended. One that stopped because we close, or lost it, has not failed.
    const reason = entry.delivery?.abortReason
    const isStopped = reason !== undefined && !isEvtError(reason, 'EVT_HANDLER_TIMEOUT')
    return isStopped && outcome.status === 'retry' ? 'release' : outcome
  }
  #retry(entry: Entry, outcome: Outcome & { readonly status: 'retry' }): void {
    const { stats, clock, support, settings } = this.#parts
    stats.retried += 1
    if (!outcome.counted) this.hindrance.met(outcome.error)
    else {
      entry.history ??= []
      entry.history.push(errorRecord(outcome.error, entry.attempt, clock.nowMs()))
      entry.attempt += 1
    }
    const { afterMs } = outcome
    const transportDelays = support.delay !== false && afterMs <= support.delay.maxMs
    if (entry.lane === undefined && transportDelays && afterMs > settings.holdMs) {
      return this.settle(entry, { delivery: entry.received, as: 'retry', attempt: entry.attempt, afterMs })
    }
    if (this.isStopping) return this.#letGo(entry, afterMs)
    entry.state = 'held'
    entry.dueMs = Math.ceil(clock.monotonicMs() + afterMs)
    this.#holdings.held += 1
    entry.timer = clock.startTimer(() => this.#unhold(entry), afterMs)
  }
  #unhold(entry: Entry): void {
    if (entry.state !== 'held') return
    this.#holdings.held -= 1
    this.#holdings.wait(entry)
    entry.delivery = undefined
    entry.timedOut = false
    this.#holdings.lanes.ready.push(entry)
    this.#hooks.startReady()
  }
  async deadLetter(entry: Entry, error: unknown): Promise<void> {
    const { work, stats, clock } = this.#parts
    const history = [...(entry.history ?? []), errorRecord(error, entry.attempt, clock.nowMs())]
    entry.state = 'settling'
    try {
      entry.history = history
      const kept = await work.deadLetter(entry, error)
      if (kept === 'dropped') stats.dropped += 1
      else stats.deadLettered += 1
      const reason = history.at(-1)!.message
      this.settle(
        entry,
        kept === 'transport'
          ? { delivery: entry.received, as: 'deadLetter', reason, history }
          : { delivery: entry.received, as: 'ack' },
      )
    } catch (storeError) {
      entry.history = history.slice(0, -1)
      work.report(storeError, 'dead-letter')
      this.#retry(entry, { status: 'retry', afterMs: deadLetterRetryMs, error: storeError, counted: false })
    }
    this.#hooks.startReady()
  }
  settle(entry: Entry, settlement: Settlement): void {
    entry.state = 'settling'
    // The next of the key may go: its predecessor is decided. One given back keeps its lane until it has gone.
    if (settlement.as !== 'release') this.#holdings.lanes.advance(entry)
    this.settler.add(settlement, entry, this.#settled)
  }
  forget(entry: Entry): void {
    if (entry.state === 'gone') return
    this.#holdings.forget(entry)
    this.#hooks.onForgotten()
  }
  /** Gives back what has not started: what is meant, or all. */
  releaseUnstarted(isMeant: (entry: Entry) => boolean = () => true): void {
    const nowMs = this.#parts.clock.monotonicMs()
    for (const entry of this.#holdings.leased.inOrder()) {
      if (!isMeant(entry)) continue
      if (entry.state === 'held') {
        entry.timer?.cancel()
        this.#holdings.held -= 1
        this.#letGo(entry, Math.max(0, entry.dueMs - nowMs))
      } else if (entry.state === 'waiting') {
        this.#holdings.unwait(entry)
        this.#letGo(entry, 0)
      }
    }
  }
  #letGo(entry: Entry, remainingMs: number): void {
    const { support, stats } = this.#parts
    const { received: delivery, attempt } = entry
    if (remainingMs > 0 && entry.lane === undefined && support.delay !== false) {
      const afterMs = Math.min(remainingMs, support.delay.maxMs)
      return this.settle(entry, { delivery, as: 'retry', attempt, afterMs })
    }
    stats.released += 1
    this.settle(entry, { delivery, as: 'release', attempt })
  }
}

function endOf(outcome: Outcome): RunEnd {
  if (outcome.status === 'ack') return 'succeeded'
  const failed = outcome.status === 'retry' ? outcome.counted : outcome.exhausted
  return failed === true ? 'failed' : 'neither'
}
