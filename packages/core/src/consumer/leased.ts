import type { Entry } from './entry.ts'

/**
 * The entries of one pump that hold a lease. An array, where the last takes the place of what leaves: of a map that things
 * come to and leave all the time, the engine leaves one old table behind after the other, each refers to the next and to all
 * that was in it, and the first that gets old keeps all of them from being collected.
 */
export class Leased {
  readonly #entries: Entry[] = []
  #count = 0

  get size(): number {
    return this.#entries.length
  }
  add(entry: Entry): void {
    entry.place = this.#entries.length
    entry.number = this.#count
    this.#count += 1
    this.#entries.push(entry)
  }
  /** Harmless when it is not there. */
  remove(entry: Entry): void {
    const { place } = entry
    if (place < 0) return
    entry.place = -1
    const last = this.#entries.pop()!
    if (last === entry) return
    this.#entries[place] = last
    last.place = place
  }
  /** A copy, in the order they came. */
  inOrder(): Entry[] {
    return [...this.#entries].sort((left, right) => left.number - right.number)
  }
}
