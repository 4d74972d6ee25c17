/** Where a reader without durable state stands in one partition, for it to go on there when the server has forgotten it. */
export class Progress {
  readonly #unsettled = new Set<number>()
  #highest: number

  constructor(startedAfter: number) {
    this.#highest = startedAfter
  }
  arrived(sequence: number): void {
    this.#highest = Math.max(this.#highest, sequence)
    this.#unsettled.add(sequence)
  }
  settled(sequence: number): void {
    this.#unsettled.delete(sequence)
  }
  /** The first sequence that is not acknowledged. */
  get next(): number {
    return Math.min(this.#highest + 1, ...this.#unsettled)
  }
}
