import type { Clock } from '../clock.ts'
import type { Consumer, Settlement } from '../transport.ts'

type Done = (result: 'settled' | 'refused' | 'abandoned') => void

/** Settles in batches: one call under way at a time, everything decided meanwhile goes with the next. Failures are tried again. */
export class Settler {
  readonly #consumer: Consumer
  readonly #clock: Clock
  readonly #onError: (error: unknown) => void
  #settlements: Settlement[] = []
  #done: Done[] = []
  #flushing: Promise<void> | undefined
  #abandoned = false
  /** The last failure, until a call succeeds. */
  failing: unknown

  constructor(consumer: Consumer, clock: Clock, onError: (error: unknown) => void) {
    this.#consumer = consumer
    this.#clock = clock
    this.#onError = onError
  }
  add(settlement: Settlement, done: Done): void {
    if (this.#abandoned) return done('abandoned')
    this.#settlements.push(settlement)
    this.#done.push(done)
    this.#flushing ??= Promise.resolve().then(() => this.#flush())
  }
  /** Resolves when nothing waits to be settled. */
  async drained(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
  }
  /** Gives up on what is not settled yet; it will be delivered again. */
  abandon(): void {
    this.#abandoned = true
  }

  async #flush(): Promise<void> {
    while (this.#settlements.length > 0) {
      const settlements = this.#settlements
      const done = this.#done
      this.#settlements = []
      this.#done = []
      // A full dead-letter place must not hold back the acknowledgements of others.
      if (settlements.some(isDeadLetter)) {
        const others = settlements.filter((settlement) => !isDeadLetter(settlement))
        await this.#settle(
          others,
          done.filter((_done, index) => !isDeadLetter(settlements[index]!)),
        )
        await this.#settle(
          settlements.filter(isDeadLetter),
          done.filter((_done, index) => isDeadLetter(settlements[index]!)),
        )
      } else await this.#settle(settlements, done)
    }
    this.#flushing = undefined
  }
  async #settle(settlements: readonly Settlement[], done: readonly Done[]): Promise<void> {
    if (settlements.length === 0) return
    for (let waitMs = 50; !this.#abandoned; waitMs = Math.min(5_000, waitMs * 2)) {
      try {
        const refusals = await this.#consumer.settle(settlements)
        this.failing = undefined
        const refused = refusals.length === 0 ? undefined : new Set(refusals.map((refusal) => refusal.delivery))
        for (let index = 0; index < done.length; index += 1) {
          done[index]!(refused?.has(settlements[index]!.delivery) ? 'refused' : 'settled')
        }
        return
      } catch (error) {
        if (this.failing === undefined) this.#onError(error)
        this.failing = error
        await new Promise<void>((resolve) => this.#clock.startTimer(resolve, waitMs))
      }
    }
    for (const each of done) each('abandoned')
  }
}

function isDeadLetter(settlement: Settlement): boolean {
  return settlement.as === 'deadLetter'
}
