import type { Position } from './outbox-store.ts'

/** Deletes published rows in the background: one statement under way, everything published meanwhile goes with the next. */
export class Deleter {
  readonly #delete: (positions: readonly Position[]) => Promise<void>
  #waiting = new Set<Position>()
  #deleting: ReadonlySet<Position> = new Set()
  #running: Promise<void> | undefined

  constructor(remove: (positions: readonly Position[]) => Promise<void>) {
    this.#delete = remove
  }
  /** Whether a row was published and is about to be deleted. */
  has(position: Position): boolean {
    return this.#waiting.has(position) || this.#deleting.has(position)
  }
  add(positions: readonly Position[]): void {
    for (const position of positions) this.#waiting.add(position)
    this.#running ??= this.#run()
    // A failure stays with `drained`; rows that were not deleted wait for the next attempt.
    this.#running.catch(() => undefined)
  }
  /** Resolves when everything published is deleted; rejects when that failed. */
  async drained(): Promise<void> {
    if (this.#running === undefined && this.#waiting.size > 0) this.#running = this.#run()
    await this.#running
  }
  async #run(): Promise<void> {
    await Promise.resolve()
    try {
      while (this.#waiting.size > 0) {
        this.#deleting = this.#waiting
        this.#waiting = new Set()
        await this.#delete([...this.#deleting])
        this.#deleting = new Set()
      }
    } catch (error) {
      for (const position of this.#deleting) this.#waiting.add(position)
      this.#deleting = new Set()
      throw error
    } finally {
      this.#running = undefined
    }
  }
}
