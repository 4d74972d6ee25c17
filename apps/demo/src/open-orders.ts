import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** The orders accepted and not yet shipped, cancelled or dead-lettered. Bounds how far the intake runs ahead. */
export class OpenOrders {
  /** When each was committed, by the monotonic clock; undefined where that is not known. */
  readonly #committedMs: Map<string, number | undefined>
  readonly #limit: number
  #changed: (() => void)[] = []
  /** Those that ended in this run. */
  finished = 0
  /** Microseconds from the answer to an order's COMMIT to the answer to its shipment's. */
  readonly toShipped: RecordableHistogram = createHistogram()

  constructor(ids: Iterable<string>, limit: number) {
    this.#committedMs = new Map(Array.from(ids, (id) => [id, undefined]))
    this.#limit = limit
  }
  get size(): number {
    return this.#committedMs.size
  }
  has(id: string): boolean {
    return this.#committedMs.has(id)
  }
  ids(): readonly string[] {
    return [...this.#committedMs.keys()]
  }
  /** Waits for room and says how much there is; 0 once the signal is aborted. */
  async room(signal: AbortSignal): Promise<number> {
    while (this.size >= this.#limit && !signal.aborted) await this.#change(signal)
    return signal.aborted ? 0 : this.#limit - this.size
  }
  /** They are about to be committed. */
  add(ids: readonly string[]): void {
    for (const id of ids) this.#committedMs.set(id, undefined)
  }
  committed(ids: readonly string[]): void {
    const nowMs = performance.now()
    for (const id of ids) if (this.#committedMs.has(id)) this.#committedMs.set(id, nowMs)
  }
  /** They were not accepted after all, or are lost. */
  forget(ids: readonly string[]): void {
    for (const id of ids) this.#committedMs.delete(id)
    this.#wake()
  }
  shipped(id: string): void {
    const committedMs = this.#committedMs.get(id)
    if (committedMs !== undefined) {
      this.toShipped.record(Math.max(1, Math.round((performance.now() - committedMs) * 1_000)))
    }
    this.ended(id)
  }
  /** Shipped, cancelled or dead-lettered; saying so again changes nothing. */
  ended(id: string): void {
    if (!this.#committedMs.delete(id)) return
    this.finished += 1
    this.#wake()
  }
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done)
        resolve()
      }
      signal.addEventListener('abort', done)
      this.#changed.push(done)
    })
  }
  #wake(): void {
    for (const resolve of this.#changed.splice(0)) resolve()
  }
}
