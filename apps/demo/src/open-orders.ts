/** The orders accepted and not yet shipped, cancelled or dead-lettered. Bounds how far the intake runs ahead. */
export class OpenOrders {
  readonly #ids: Set<string>
  readonly #limit: number
  #changed: (() => void)[] = []
  finished = 0

  constructor(ids: Iterable<string>, limit: number) {
    this.#ids = new Set(ids)
    this.#limit = limit
  }
  get size(): number {
    return this.#ids.size
  }
  /** Waits for room. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#ids.size >= this.#limit && !signal.aborted) await this.change(signal)
  }
  add(id: string): void {
    this.#ids.add(id)
  }
  /** It was not accepted after all. */
  forget(id: string): void {
    this.#ids.delete(id)
    this.#wake()
  }
  finish(id: string): void {
    if (!this.#ids.delete(id)) return
    this.finished += 1
    this.#wake()
  }
  /** Resolves when an order leaves, or on abort. */
  change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#changed.push(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
  #wake(): void {
    for (const resolve of this.#changed.splice(0)) resolve()
  }
}
