import type { Clock, Timer } from '../clock.ts'

/** A read without a message ends after this long, so that one that never returns is told apart from one that waits. */
const readLimitMs = 10_000
const graceMs = 5_000

/** Watches one reader: ends waits that last too long, and tells when a read does not return even then. */
export class ReadWatch {
  readonly #clock: Clock
  readonly #onStuck: (waitedMs: number) => void
  #stop = new AbortController()
  #timer: Timer | undefined
  #sinceMs: number | undefined
  #told = false
  #closed = false

  constructor(clock: Clock, onStuck: (waitedMs: number) => void) {
    this.#clock = clock
    this.#onStuck = onStuck
  }
  /** A read begins: the signal that ends its wait. */
  begin(): AbortSignal {
    this.#sinceMs = this.#clock.monotonicMs()
    this.#told = false
    if (this.#stop.signal.aborted && !this.#closed) this.#stop = new AbortController()
    if (this.#timer === undefined && !this.#closed) this.#arm(readLimitMs)
    return this.#stop.signal
  }
  /** The read has returned. */
  end(): void {
    this.#sinceMs = undefined
  }
  /** Ends the read under way and every later one at once. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#stop.abort()
  }
  #arm(delayMs: number): void {
    this.#timer = this.#clock.startTimer(() => this.#look(), delayMs)
  }
  #look(): void {
    this.#timer = undefined
    // Nobody reads: the next read arms it again.
    if (this.#sinceMs === undefined) return
    const waitedMs = this.#clock.monotonicMs() - this.#sinceMs
    if (waitedMs < readLimitMs) return this.#arm(readLimitMs - waitedMs)
    this.#stop.abort()
    if (waitedMs >= readLimitMs + graceMs && !this.#told) {
      this.#told = true
      this.#onStuck(waitedMs)
    }
    this.#arm(graceMs)
  }
}
