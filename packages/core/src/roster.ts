/** What a roster needs of those that are in it. Nobody else writes these fields. */
export interface Rostered {
  /** Where it stands; less than 0 where it is not in. */
  place: number
  /** As which of all it came. */
  number: number
}

/**
 * Things that come and leave all the time. An array, where the last takes the place of what leaves: of a map or a set that is
 * used like this the engine leaves one old table behind after the other, each refers to the next and to all that was in it,
 * and the first that gets old keeps all of them from being collected.
 */
export class Roster<Item extends Rostered> {
  readonly #items: Item[] = []
  #count = 0

  get size(): number {
    return this.#items.length
  }
  add(item: Item): void {
    item.place = this.#items.length
    item.number = this.#count
    this.#count += 1
    this.#items.push(item)
  }
  /** Answers whether it was in. */
  remove(item: Item): boolean {
    const { place } = item
    if (place < 0) return false
    item.place = -1
    const last = this.#items.pop()!
    if (last === item) return true
    this.#items[place] = last
    last.place = place
    return true
  }
  /** A copy, in the order they came. */
  inOrder(): Item[] {
    return [...this.#items].sort((left, right) => left.number - right.number)
  }
}
