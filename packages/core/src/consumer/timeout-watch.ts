import type { Clock, Timer } from '../clock.ts'
import type { Entry } from './entry.ts'

/** One timer for all running handlers: they time out in the order they began. */
export class TimeoutWatch {
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #running: ReadonlySet<Entry>
  readonly #onTimeout: (entry: Entry) => void
  #timer: Timer | undefined
  #stopped = false
  /** Handlers past their timeout that have not ended. */
  overdue = 0

  constructor(clock: Clock, timeoutMs: number, running: ReadonlySet<Entry>, onTimeout: (entry: Entry) => void) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#running = running
    this.#onTimeout = onTimeout
  }
  watch(entry: Entry): void {
    entry.dueMs = this.#clock.monotonicMs() + this.#timeoutMs
    if (this.#timer === undefined && !this.#stopped) this.#arm(this.#timeoutMs)
  }
  ended(entry: Entry): void {
    if (entry.timedOut) this.overdue -= 1
  }
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }
  #arm(delayMs: number): void {
    this.#timer = this.#clock.startTimer(() => this.#sweep(), delayMs)
  }
  #sweep(): void {
    this.#timer = undefined
    const nowMs = this.#clock.monotonicMs()
    for (const entry of this.#running) {
      if (entry.timedOut) continue
      if (entry.dueMs > nowMs) return this.#arm(entry.dueMs - nowMs)
      this.overdue += 1
      this.#onTimeout(entry)
    }
  }
}
