/** Handler slots of one subscription, shared by the pumps of its events. */
export class Slots {
  readonly #limit: number
  readonly #listeners: (() => void)[] = []
  #used = 0

  constructor(limit: number) {
    this.#limit = limit
  }
  get free(): boolean {
    return this.#used < this.#limit
  }
  onFree(listener: () => void): void {
    this.#listeners.push(listener)
  }
  take(): void {
    this.#used += 1
  }
  give(): void {
    this.#used -= 1
    // A pump that gives back a slot looks for work by itself; with several, the others must be told.
    if (this.#listeners.length > 1) for (const listener of this.#listeners) listener()
  }
}
