import type { Clock, Timer } from '@evt/core'
import type { Item } from './progress.ts'

interface Waiting {
  readonly dueMs: number
  readonly item: Item
}

/** Messages that wait until they are due, the next one first. */
export class DueHeap {
  readonly #clock: Clock
  readonly #due: (items: readonly Item[]) => void
  readonly #heap: Waiting[] = []
  #timer: Timer | undefined
  #timerMs = 0

  constructor(clock: Clock, due: (items: readonly Item[]) => void) {
    this.#clock = clock
    this.#due = due
  }
  get size(): number {
    return this.#heap.length
  }
  add(item: Item, afterMs: number): void {
    this.#push({ dueMs: this.#clock.monotonicMs() + afterMs, item })
    this.#arm()
  }
  /** Takes out what others may have by now. */
  forgetLost(): void {
    for (const waiting of this.#heap.splice(0)) if (waiting.item.progress.live) this.#push(waiting)
  }
  #push(waiting: Waiting): void {
    const heap = this.#heap
    let index = heap.push(waiting) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (heap[parent]!.dueMs <= heap[index]!.dueMs) break
      swap(heap, parent, index)
      index = parent
    }
  }
  #shift(): Item {
    const heap = this.#heap
    const { item } = heap[0]!
    const last = heap.pop()!
    if (heap.length > 0) heap[0] = last
    for (let index = 0; ; ) {
      let least = index
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < heap.length && heap[child]!.dueMs < heap[least]!.dueMs) least = child
      }
      if (least === index) return item
      swap(heap, least, index)
      index = least
    }
  }
  #arm(): void {
    const first = this.#heap[0]
    if (first === undefined || (this.#timer !== undefined && this.#timerMs <= first.dueMs)) return
    this.#timer?.cancel()
    this.#timerMs = first.dueMs
    this.#timer = this.#clock.startTimer(() => this.#fire(), Math.max(0, first.dueMs - this.#clock.monotonicMs()))
  }
  #fire(): void {
    this.#timer = undefined
    const due: Item[] = []
    while (this.#heap.length > 0 && this.#heap[0]!.dueMs <= this.#clock.monotonicMs()) due.push(this.#shift())
    if (due.length > 0) this.#due(due)
    this.#arm()
  }
  clear(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#heap.length = 0
  }
}

function swap<Value>(list: Value[], left: number, right: number): void {
  const value = list[left]!
  list[left] = list[right]!
  list[right] = value
}
