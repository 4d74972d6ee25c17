import type { Clock, Timer } from './clock.ts'

/** What a list needs of the things it watches. Nobody else writes these fields. */
export interface Watched<Item> {
  before: Item | undefined
  after: Item | undefined
  isListed: boolean
  /** Monotonic; 0 until the clock has been read for it. Whole: for fractions the engine takes memory in every item. */
  dueMs: number
  isDue: boolean
}

/**
 * Things under way that all have the same time limit, in the order they began. One timer for all of them, and the clock
 * is read once for everything that began in one turn of the event loop: what ends in that turn costs no reading at all.
 */
export class DeadlineList<Item extends Watched<Item>> {
  size = 0
  readonly #clock: Clock
  readonly #limitMs: number
  readonly #onDue: (item: Item) => void
  #first: Item | undefined
  #last: Item | undefined
  /** The first whose deadline is not known yet; those behind it are not either. */
  #fresh: Item | undefined
  #stamping: Timer | undefined
  #sweeping: Timer | undefined
  #stopped = false

  constructor(clock: Clock, limitMs: number, onDue: (item: Item) => void) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#onDue = onDue
  }
  add(item: Item): void {
    const last = this.#last
    // What is alone in the list, as in a process that awaits every publish, needs no links and thus no writes of any.
    if (last === undefined) this.#first = item
    else {
      item.before = last
      last.after = item
    }
    this.#last = item
    item.isListed = true
    this.size += 1
    if (this.#fresh === undefined) this.#fresh = item
    if (this.#stamping === undefined && !this.#stopped) this.#stamping = this.#clock.startTimer(() => this.#stamp(), 0)
  }
  /** Answers whether it was there. */
  remove(item: Item): boolean {
    if (!item.isListed) return false
    const { before, after } = item
    if (before === undefined) this.#first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    if (this.#fresh === item) this.#fresh = after
    if (before !== undefined) item.before = undefined
    if (after !== undefined) item.after = undefined
    item.dueMs = 0
    item.isDue = false
    item.isListed = false
    this.size -= 1
    return true
  }
  /** What is under way now, oldest first. */
  items(): Item[] {
    const items: Item[] = []
    for (let item = this.#first; item !== undefined; item = item.after) items.push(item)
    return items
  }
  stop(): void {
    this.#stopped = true
    this.#stamping?.cancel()
    this.#sweeping?.cancel()
  }
  #stamp(): void {
    this.#stamping = undefined
    if (this.#fresh === undefined) return
    const dueMs = Math.ceil(this.#clock.monotonicMs()) + this.#limitMs
    for (let item: Item | undefined = this.#fresh; item !== undefined; item = item.after) item.dueMs = dueMs
    this.#fresh = undefined
    if (this.#sweeping === undefined) this.#sweepIn(this.#limitMs)
  }
  #sweepIn(delayMs: number): void {
    this.#sweeping = this.#clock.startTimer(() => this.#sweep(), delayMs)
  }
  #sweep(): void {
    this.#sweeping = undefined
    const nowMs = this.#clock.monotonicMs()
    const due: Item[] = []
    for (let item = this.#first; item !== this.#fresh; item = item!.after) {
      if (item!.isDue) continue
      if (item!.dueMs > nowMs) {
        this.#sweepIn(item!.dueMs - nowMs)
        break
      }
      item!.isDue = true
      due.push(item!)
    }
    for (const item of due) this.#onDue(item)
  }
}
