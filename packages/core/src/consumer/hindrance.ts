import type { Clock } from '../clock.ts'
import type { SubscriptionStats } from './stats.ts'

/** A failover or a message that another process is still at is over by then. */
const lastingMs = 5_000
const againMs = 60_000

/**
 * What keeps a subscription from its messages although none of them has failed: a store that is down, or whose table was
 * never made. Such a message burns no attempt and is tried for ever, so that without this nobody would hear of it.
 */
export class Hindrance {
  readonly #clock: Clock
  readonly #stats: SubscriptionStats
  readonly #report: (error: unknown) => void
  #sinceMs = 0
  #toldMs: number | undefined
  /** Messages that had got through when it began. */
  #through = -1
  #error: unknown

  constructor(clock: Clock, stats: SubscriptionStats, report: (error: unknown) => void) {
    this.#clock = clock
    this.#stats = stats
    this.#report = report
  }
  /** Once it has lasted, until a message gets through. */
  get error(): unknown {
    return this.#toldMs === undefined || this.#through !== through(this.#stats) ? undefined : this.#error
  }
  /** A message is to be tried again without having failed. */
  met(error: unknown): void {
    const nowMs = this.#clock.monotonicMs()
    if (this.#through !== through(this.#stats)) {
      this.#through = through(this.#stats)
      this.#sinceMs = nowMs
      this.#toldMs = undefined
    }
    this.#error = error
    if (nowMs - this.#sinceMs < lastingMs || nowMs - (this.#toldMs ?? Number.NEGATIVE_INFINITY) < againMs) return
    this.#toldMs = nowMs
    this.#report(error)
  }
}

// Counted anyway: nothing is to be said where everything goes well.
function through({ acknowledged, deadLettered, dropped }: SubscriptionStats): number {
  return acknowledged + deadLettered + dropped
}
