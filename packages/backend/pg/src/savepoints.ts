const before = String.raw`^(?:\s|;|/\*[^]*?\*/|--[^\n]*\n)*`
const name = String.raw`("(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`
const opening = new RegExp(String.raw`${before}savepoint\s+${name}`, 'i')
const releasing = new RegExp(String.raw`${before}release\s+(?:savepoint\s+)?${name}`, 'i')
const returning = new RegExp(
  String.raw`${before}rollback\s+(?:(?:work|transaction)\s+)?to\s+(?:savepoint\s+)?${name}`,
  'i',
)

export function opensSavepoint(sql: string): boolean {
  return opening.test(sql)
}

/** What rollbacks to savepoints have taken back of what is kept here, outside the database, until the commit. */
export class Savepoints {
  #now = 0
  /** Those that exist, one inside the other. */
  readonly #opened: { readonly name: string; readonly at: number }[] = []
  readonly #undone: { readonly after: number; readonly upTo: number }[] = []

  mark(): number {
    this.#now += 1
    return this.#now
  }
  isUndone(mark: number): boolean {
    return this.#undone.some(({ after, upTo }) => mark > after && mark <= upTo)
  }
  /** A statement that is sent. */
  see(sql: string): void {
    const opened = opening.exec(sql)?.[1]
    if (opened !== undefined) this.#opened.push({ name: folded(opened), at: this.#now })
    const released = this.#find(releasing.exec(sql)?.[1])
    if (released >= 0) this.#opened.length = released
    const returned = this.#find(returning.exec(sql)?.[1])
    if (returned < 0) return
    // It is there still, and none of those inside it is.
    this.#opened.length = returned + 1
    this.#undone.push({ after: this.#opened[returned]!.at, upTo: this.#now })
  }
  #find(given: string | undefined): number {
    return given === undefined ? -1 : this.#opened.map(({ name }) => name).lastIndexOf(folded(given))
  }
}

/** As PostgreSQL reads a name. */
function folded(given: string): string {
  if (given.startsWith('"')) return given.slice(1, -1).replaceAll('""', '"')
  return given.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
