import { control, type LastStatement, type PgQuery, type PgTransaction } from './pg-transaction.ts'

/** What becomes of the items of one transaction. */
export interface CommitBufferUse<Item> {
  /** Right before COMMIT, with all that no rollback to a savepoint has taken back. May return a statement to go with COMMIT. */
  write(query: PgQuery, items: readonly Item[]): Promise<LastStatement | undefined>
  /** Must not throw. */
  afterCommit(): void
}

/** Items that wait for the COMMIT of their transaction, to be written together right before it. */
export class CommitBuffer<Item> {
  readonly #added = new WeakMap<PgTransaction, { readonly mark: number; readonly items: readonly Item[] }[]>()

  /** False where somebody else commits, so that there is no moment before it: then write them at once. */
  add(transaction: PgTransaction, items: readonly Item[], use: () => CommitBufferUse<Item>): boolean {
    const { mark, isUndone } = transaction[control]
    const added = { mark: mark(), items: [...items] }
    const earlier = this.#added.get(transaction)
    if (earlier !== undefined) {
      earlier.push(added)
      return true
    }
    const all = [added]
    const { write, afterCommit } = use()
    const isDeferred = transaction.beforeCommit((query) => {
      // Whoever comes now is too late, and is told so instead of adding to what has been written.
      this.#added.delete(transaction)
      const kept = all.filter((each) => !isUndone(each.mark)).flatMap((each) => each.items)
      return write(query, kept)
    })
    if (!isDeferred) return false
    this.#added.set(transaction, all)
    transaction.afterCommit(afterCommit)
    return true
  }
}
