/** Messages of a set, by their places, that are tried together. */
export interface Part {
  readonly places: readonly number[]
  /** The second half, where this is the first. */
  readonly second: Part | undefined
  /** One of them fails: all together have failed, and the first half has not. */
  isSuspect: boolean
}

/** What of a set is still to be tried, from its first message to its last, in halves where more of it fails. */
export class Division {
  #waiting: Part[] = []

  /** Suspect: they are known to fail as a whole. */
  constructor(places: readonly number[], isSuspect = false) {
    this.putBack(places)
    for (const part of this.#waiting) part.isSuspect = isSuspect
  }
  get isOver(): boolean {
    return this.#waiting.length === 0
  }
  /** Takes all that waits, as one part. */
  takeAll(): Part {
    const all = toPart(this.#waiting.flatMap(({ places }) => places).sort((one, other) => one - other))
    this.#waiting = []
    return all
  }
  /** What was taken is to be tried again, as a whole. */
  putBack(places: readonly number[]): void {
    if (places.length > 0) this.#waiting.push(toPart(places))
  }
  /** Takes the next part. A suspect one is halved without being tried as a whole. */
  take(): Part | undefined {
    const part = this.#waiting.pop()
    return part?.isSuspect && this.halve(part) ? this.take() : part
  }
  /** What was taken did not fail. */
  succeeded({ second }: Part): void {
    if (second !== undefined) second.isSuspect = true
  }
  /** What was taken fails: it waits again, in halves. False where it stands alone. */
  halve({ places }: Part): boolean {
    if (places.length < 2) return false
    const middle = places.length >> 1
    const second = toPart(places.slice(middle))
    this.#waiting.push(second, toPart(places.slice(0, middle), second))
    return true
  }
}

function toPart(places: readonly number[], second?: Part): Part {
  return { places, second, isSuspect: false }
}
