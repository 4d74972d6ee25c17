import type { Clock } from '@evt/core'
import type { Position } from '@evt/outbox'

/** Time between two looks at who holds a lock. */
const lookMs = 1_000
/** So often everything is read from the start of the table: an operator may have put something back. */
const wholeMs = 10_000
const start = '0'

export interface FloorParts {
  readonly clock: Clock
  /** Names of the transactions that hold a lock which every insert takes, prepared ones included. */
  holders(): Promise<readonly string[]>
  /** The first row above one position and up to another. */
  first(after: Position, upTo: Position): Promise<Position | null>
}

/**
 * A position up to which nothing is left and nothing can appear any more, so that a burst need not pass everything that was
 * deleted: while somebody leaves a transaction open, no deleted row is cleaned away, and at 100,000 of them each question would
 * take a tenth of a second.
 *
 * An insert locks its table before its row gets a number, and until its transaction ends. So once none of those is left that
 * held the lock at a moment when some number was there already, every lower number is committed and to be seen, or never will be.
 */
export class Floor {
  readonly #parts: FloorParts
  #position: Position = start
  #candidate: { readonly position: Position; readonly holders: ReadonlySet<string> } | undefined
  #lookedMs = Number.NEGATIVE_INFINITY
  #wholeMs = Number.NEGATIVE_INFINITY
  #wholeUpTo: Position | undefined

  constructor(parts: FloorParts) {
    this.#parts = parts
  }
  /** Asks for the newest position above the floor, now and then above nothing. */
  async bound(ask: (above: Position) => Promise<Position | null>): Promise<Position | null> {
    const nowMs = this.#parts.clock.monotonicMs()
    const isWhole = this.#position === start || nowMs >= this.#wholeMs + wholeMs
    const bound = await ask(isWhole ? start : this.#position)
    if (isWhole) {
      this.#wholeMs = nowMs
      this.#wholeUpTo = bound ?? undefined
    }
    if (bound !== null && nowMs >= this.#lookedMs + lookMs) {
      this.#lookedMs = nowMs
      // It saves time and nothing else: whatever is wrong with the database is told by the questions that matter.
      await this.#look(bound).catch(() => undefined)
    }
    return bound
  }
  /** Where a burst up to that bound begins. */
  below(upTo: Position): Position {
    return upTo === this.#wholeUpTo ? start : this.#position
  }
  /** Something was read that should not be there. */
  found(position: Position | undefined): void {
    if (position === undefined || BigInt(position) > BigInt(this.#position)) return
    this.#position = start
    this.#candidate = undefined
  }

  async #look(bound: Position): Promise<void> {
    const holders = await this.#parts.holders()
    const candidate = this.#candidate
    // One that was prepared gets another name when the server is started again.
    const isOver = (name: string) => candidate?.holders.has(name) !== true && !name.startsWith('-1/')
    if (candidate !== undefined && !holders.every(isOver)) return
    this.#candidate = { position: bound, holders: new Set(holders) }
    if (candidate === undefined) return
    const first = await this.#parts.first(this.#position, candidate.position)
    // Unless something was found meanwhile.
    if (this.#candidate === undefined) return
    this.#position = first === null ? candidate.position : String(BigInt(first) - 1n)
  }
}
