import { crashPoint } from '@evt/core'
import type { Position } from './outbox-store.ts'

/**
 * The rows that a read may still return although they need not be published: those under way, those published and not
 * deleted yet, and those deleted since the read began. Deletes in the background, one statement under way at a time.
 */
export class PublishedRows {
  readonly #delete: (positions: readonly Position[]) => Promise<void>
  readonly #underWay = new Set<Position>()
  #waiting = new Set<Position>()
  #deleting: ReadonlySet<Position> = new Set()
  readonly #deletedSinceRead = new Set<Position>()
  #isReading = false
  #running: Promise<void> | undefined

  constructor(remove: (positions: readonly Position[]) => Promise<void>) {
    this.#delete = remove
  }
  /** Rows handed to a transport that has not answered. */
  get underWay(): number {
    return this.#underWay.size
  }
  /** Positions held in memory, of all kinds. */
  get size(): number {
    return this.#underWay.size + this.#waiting.size + this.#deleting.size + this.#deletedSinceRead.size
  }
  has(position: Position): boolean {
    return (
      this.#underWay.has(position) ||
      this.#waiting.has(position) ||
      this.#deleting.has(position) ||
      this.#deletedSinceRead.has(position)
    )
  }
  begin(position: Position): void {
    this.#underWay.add(position)
  }
  end(position: Position): void {
    this.#underWay.delete(position)
  }
  /** A read begins. One at a time. What is deleted before its answer was looked at may be part of the answer. */
  readBegins(): void {
    this.#isReading = true
  }
  /** The read's answer was looked at, or will never be. */
  readEnds(): void {
    this.#isReading = false
    this.#deletedSinceRead.clear()
  }
  /** They were published: deletes them soon. */
  remove(positions: readonly Position[]): void {
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
        crashPoint('outbox.deleted')
        if (this.#isReading) for (const position of this.#deleting) this.#deletedSinceRead.add(position)
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
