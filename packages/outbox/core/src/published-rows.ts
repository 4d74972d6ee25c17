import { crashPoint } from '@evt/core'
import type { Position } from './outbox-store.ts'

/**
 * Rows that were handed to a transport and are not deleted yet. Deletes in the background, one statement under way at a time.
 * What a burst publishes, no later page of it can return; so only what was there before it has to be known by position.
 */
export class PublishedRows {
  readonly #delete: (positions: readonly Position[]) => Promise<void>
  readonly #underWay = new Set<Position>()
  #waiting: Position[] = []
  #deleting: readonly Position[] = []
  #running: Promise<void> | undefined

  constructor(remove: (positions: readonly Position[]) => Promise<void>) {
    this.#delete = remove
  }
  /** Rows handed to a transport that has not answered. */
  get underWay(): number {
    return this.#underWay.size
  }
  /** Before the first read of a burst: what its reads may return although it need not be published by it. */
  known(): ReadonlySet<Position> {
    return new Set([...this.#underWay, ...this.#deleting, ...this.#waiting])
  }
  begin(position: Position): void {
    this.#underWay.add(position)
  }
  end(position: Position): void {
    this.#underWay.delete(position)
  }
  /** They were published: deletes them soon. */
  remove(positions: readonly Position[]): void {
    for (const position of positions) this.#waiting.push(position)
    this.#running ??= this.#run()
    // A failure stays with `drained`; rows that were not deleted wait for the next attempt.
    this.#running.catch(() => undefined)
  }
  /** Resolves when everything published is deleted; rejects when that failed. */
  async drained(): Promise<void> {
    if (this.#running === undefined && this.#waiting.length > 0) this.#running = this.#run()
    await this.#running
  }
  async #run(): Promise<void> {
    await Promise.resolve()
    try {
      while (this.#waiting.length > 0) {
        this.#deleting = this.#waiting
        this.#waiting = []
        await this.#delete(this.#deleting)
        crashPoint('outbox.deleted')
        this.#deleting = []
      }
    } catch (error) {
      this.#waiting = [...this.#deleting, ...this.#waiting]
      this.#deleting = []
      throw error
    } finally {
      this.#running = undefined
    }
  }
}
