/** First in, first out. A ring that grows by doubling: neither pushing nor shifting moves what is in between. */
export class Queue<Item> {
  #items: (Item | undefined)[] = new Array(16)
  #head = 0
  size = 0

  push(item: Item): void {
    if (this.size === this.#items.length) this.#widen(this.size * 2)
    this.#items[this.#place(this.size)] = item
    this.size += 1
  }
  /** Puts items in front, keeping their order. */
  unshift(items: readonly Item[]): void {
    while (this.size + items.length > this.#items.length) this.#widen(this.#items.length * 2)
    this.#head = (this.#head - items.length) & (this.#items.length - 1)
    this.size += items.length
    for (let index = 0; index < items.length; index += 1) this.#items[this.#place(index)] = items[index]
  }
  peek(): Item | undefined {
    return this.#items[this.#head]
  }
  shift(): Item | undefined {
    if (this.size === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#items.length - 1)
    this.size -= 1
    return item
  }
  *[Symbol.iterator](): Generator<Item> {
    for (let index = 0; index < this.size; index += 1) yield this.#items[this.#place(index)]!
  }
  drain(): Item[] {
    const items: Item[] = []
    for (let item = this.shift(); item !== undefined; item = this.shift()) items.push(item)
    if (this.#items.length > 1_024) {
      this.#items = new Array(16)
      this.#head = 0
    }
    return items
  }
  #place(index: number): number {
    return (this.#head + index) & (this.#items.length - 1)
  }
  #widen(length: number): void {
    const wider: (Item | undefined)[] = new Array(length)
    for (let index = 0; index < this.size; index += 1) wider[index] = this.#items[this.#place(index)]
    this.#items = wider
    this.#head = 0
  }
}
