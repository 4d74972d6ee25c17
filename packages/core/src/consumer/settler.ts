import type { Clock } from '../clock.ts'
import { crashPoint } from '../crash-point.ts'
import type { Consumer, Settlement } from '../transport.ts'
import type { Entry } from './entry.ts'

/** One for all entries where possible: a function for each would have to be made. */
type Done = (entry: Entry, result: 'settled' | 'refused' | 'abandoned') => void

const firstWaitMs = 50
const maxWaitMs = 5_000
/** Servers that are well answer sooner. */
const patienceMs = 15_000

/** Settles in batches: one call under way at a time, everything decided meanwhile goes with the next. Failures are tried again. */
export class Settler {
  readonly #consumer: Consumer
  readonly #clock: Clock
  readonly #onError: (error: unknown) => void
  readonly #queue = new Batch()
  /** Apart from the rest: a full dead-letter place must not hold back the acknowledgements of others. */
  readonly #letters = new Batch()
  #lettersDueMs = 0
  #lettersWaitMs = firstWaitMs
  #flushing: Promise<void> | undefined
  #wake: (() => void) | undefined
  #abandoned = false
  #failing: unknown
  #lettersFailing: unknown
  /** When the call under way began, monotonic. */
  #askedMs: number | undefined

  constructor(consumer: Consumer, clock: Clock, onError: (error: unknown) => void) {
    this.#consumer = consumer
    this.#clock = clock
    this.#onError = onError
  }
  /** The last failure, until a call succeeds; or that the call under way has gone unanswered for long. */
  get failing(): unknown {
    const failing = this.#failing ?? this.#lettersFailing
    if (failing !== undefined || this.#askedMs === undefined) return failing
    const silentMs = this.#clock.monotonicMs() - this.#askedMs
    if (silentMs < patienceMs) return undefined
    return new Error(`Settling has not been answered for ${Math.round(silentMs / 1_000)} s`)
  }
  add(settlement: Settlement, entry: Entry, done: Done): void {
    if (this.#abandoned) return done(entry, 'abandoned')
    if (settlement.as === 'deadLetter') this.#letters.add(settlement, entry, done)
    else this.#queue.add(settlement, entry, done)
    this.#wake?.()
    this.#flushing ??= Promise.resolve().then(() => this.#flush())
  }
  /** Resolves when nothing waits to be settled. */
  async drained(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
  }
  /** Gives up on what is not settled yet; it will be delivered again. */
  abandon(): void {
    this.#abandoned = true
    this.#wake?.()
  }

  async #flush(): Promise<void> {
    let waitMs = firstWaitMs
    while (!this.#abandoned && this.#queue.size + this.#letters.size > 0) {
      if (this.#queue.size > 0) {
        this.#failing = await this.#settle(this.#queue, this.#failing)
        if (this.#failing === undefined) waitMs = firstWaitMs
        else {
          await this.#pause(waitMs, false)
          waitMs = Math.min(maxWaitMs, waitMs * 2)
        }
      }
      if (this.#letters.size > 0) await this.#settleLetters()
    }
    this.#queue.end('abandoned')
    this.#letters.end('abandoned')
    this.#flushing = undefined
  }
  async #settleLetters(): Promise<void> {
    const leftMs = this.#lettersDueMs - this.#clock.monotonicMs()
    if (leftMs <= 0) {
      // Where there is not room for all there may be room for one.
      const limit = this.#lettersFailing === undefined ? undefined : 1
      this.#lettersFailing = await this.#settle(this.#letters, this.#lettersFailing, limit)
      if (this.#lettersFailing === undefined) this.#lettersWaitMs = firstWaitMs
      else {
        this.#lettersDueMs = this.#clock.monotonicMs() + this.#lettersWaitMs
        this.#lettersWaitMs = Math.min(maxWaitMs, this.#lettersWaitMs * 2)
      }
    } else if (this.#queue.size === 0) await this.#pause(leftMs, true)
  }
  /** One call for all that wait, or the first of them; answers its failure, after which they wait in front. */
  async #settle(batch: Batch, failing: unknown, limit?: number): Promise<unknown> {
    const taken = batch.take(limit)
    const { settlements, entries, done } = taken
    try {
      crashPoint('delivery.decided')
      this.#askedMs = this.#clock.monotonicMs()
      const refusals = await this.#consumer.settle(settlements)
      crashPoint('delivery.settled')
      const refused = refusals.length === 0 ? undefined : new Set(refusals.map((refusal) => refusal.delivery))
      for (let index = 0; index < done.length; index += 1) {
        done[index]!(entries[index]!, refused?.has(settlements[index]!.delivery) ? 'refused' : 'settled')
      }
      return undefined
    } catch (error) {
      batch.putBack(taken)
      if (failing === undefined) this.#onError(error)
      return error ?? new Error('settling failed')
    } finally {
      this.#askedMs = undefined
    }
  }
  /** Waits, no longer than until it is given up or, where asked, until there is more to settle. */
  async #pause(waitMs: number, untilMore: boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.startTimer(resolve, waitMs)
      this.#wake = () => {
        if (!untilMore && !this.#abandoned) return
        timer.cancel()
        resolve()
      }
    })
    this.#wake = undefined
  }
}

interface Taken {
  readonly settlements: readonly Settlement[]
  readonly entries: readonly Entry[]
  readonly done: readonly Done[]
}
/** Settlements with whom to tell; in lists of their own because most calls take them all. */
class Batch {
  #settlements: Settlement[] = []
  #entries: Entry[] = []
  #done: Done[] = []

  get size(): number {
    return this.#settlements.length
  }
  add(settlement: Settlement, entry: Entry, done: Done): void {
    this.#settlements.push(settlement)
    this.#entries.push(entry)
    this.#done.push(done)
  }
  take(limit: number = this.size): Taken {
    const taken = { settlements: this.#settlements, entries: this.#entries, done: this.#done }
    this.#settlements = taken.settlements.splice(limit)
    this.#entries = taken.entries.splice(limit)
    this.#done = taken.done.splice(limit)
    return taken
  }
  putBack({ settlements, entries, done }: Taken): void {
    this.#settlements = [...settlements, ...this.#settlements]
    this.#entries = [...entries, ...this.#entries]
    this.#done = [...done, ...this.#done]
  }
  end(result: 'abandoned'): void {
    const { entries, done } = this.take()
    for (let index = 0; index < done.length; index += 1) done[index]!(entries[index]!, result)
  }
}
