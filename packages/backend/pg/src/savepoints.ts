const opening = /^\s*savepoint\s+("[^"]+"|\w+)/i
const returning = /^\s*rollback\s+(?:(?:work|transaction)\s+)?to\s+(?:savepoint\s+)?("[^"]+"|\w+)/i

export function opensSavepoint(sql: string): boolean {
  return opening.test(sql)
}

/** What rollbacks to savepoints have taken back of what is kept here, outside the database, until the commit. */
export class Savepoints {
  #now = 0
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
    const returned = returning.exec(sql)?.[1]
    if (returned === undefined) return
    const found = this.#opened.filter(({ name }) => name === folded(returned)).at(-1)
    if (found !== undefined) this.#undone.push({ after: found.at, upTo: this.#now })
  }
}

/** As PostgreSQL reads a name. */
function folded(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1) : name.toLowerCase()
}
