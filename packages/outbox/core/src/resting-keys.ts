import type { Clock, Timer } from '@evt/core'
import type { OutboxRow } from './outbox-store.ts'

const firstRestMs = 100
const longestRestMs = 10_000
const maxSkipped = 1_000

/**
 * What failed and is left alone for a while: keys, and rows without one. They come back together, and only between two
 * bursts: a key that came back within one would go on behind the row that failed.
 */
export class RestingKeys {
  readonly #clock: Clock
  readonly #onOver: () => void
  readonly #rows = new Set<string>()
  readonly #keys = new Set<string>()
  #timer: Timer | undefined
  #restMs = 0
  #over = false

  constructor(clock: Clock, onOver: () => void) {
    this.#clock = clock
    this.#onOver = onOver
  }
  get size(): number {
    return this.#rows.size + this.#keys.size
  }
  /** Keys that need not be read, as many as are worth sending. */
  get skipKeys(): readonly string[] {
    return this.#keys.size <= maxSkipped ? [...this.#keys] : [...this.#keys].slice(0, maxSkipped)
  }
  has(row: OutboxRow): boolean {
    return row.key === undefined ? this.#rows.has(row.position) : this.#keys.has(row.key)
  }
  add(row: OutboxRow): void {
    if (row.key === undefined) this.#rows.add(row.position)
    else this.#keys.add(row.key)
    this.begin()
  }
  /** Begins a rest unless there is one: twice as long as the last, if that one helped nothing. */
  begin(): void {
    if (this.#timer !== undefined || this.#over) return
    this.#restMs = Math.min(longestRestMs, Math.max(firstRestMs, this.#restMs * 2))
    this.#timer = this.#clock.startTimer(() => {
      this.#timer = undefined
      this.#over = true
      this.#onOver()
    }, this.#restMs)
  }
  /** Before a burst: true where a rest is over, and everything that rested is tried again. */
  wakeUp(): boolean {
    if (!this.#over) return false
    this.#over = false
    this.#rows.clear()
    this.#keys.clear()
    return true
  }
  /** After a burst in which nothing failed. */
  calm(): void {
    this.#restMs = 0
    this.stop()
  }
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#over = false
    this.#rows.clear()
    this.#keys.clear()
  }
}
