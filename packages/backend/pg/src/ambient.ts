import { AsyncLocalStorage } from 'node:async_hooks'
import { control, type PgTransaction } from './pg-transaction.ts'

/** Transactions of different databases may be open inside each other; those of one database never are. */
interface Frame {
  readonly transaction: PgTransaction
  readonly outer: Frame | undefined
}

// On globalThis, so that two installed copies of this package see each other's transactions.
const holder = Symbol.for('evt.pg.ambient')
const registry = globalThis as { [holder]?: AsyncLocalStorage<Frame | undefined> }

function storage(): AsyncLocalStorage<Frame | undefined> {
  registry[holder] ??= new AsyncLocalStorage()
  return registry[holder]
}

export function runInside<Result>(transaction: PgTransaction, work: () => Result): Result {
  return storage().run({ transaction, outer: storage().getStore() }, work)
}

/** The same in place of the whole that the transaction is a part of: who comes after the part's end must not find the whole. */
export function runInPlaceOf<Result>(whole: PgTransaction, part: PgTransaction, work: () => Result): Result {
  const without = (frame: Frame | undefined): Frame | undefined => {
    if (frame === undefined) return undefined
    const outer = without(frame.outer)
    return frame.transaction === whole ? outer : { ...frame, outer }
  }
  return storage().run({ transaction: part, outer: without(storage().getStore()) }, work)
}

/** Runs work that outlives or ignores the calling transaction. */
export function runOutside<Result>(work: () => Result): Result {
  return storage().run(undefined, work)
}

/** The open transactions around the caller, innermost first. */
export function openTransactions(): readonly PgTransaction[] {
  const found: PgTransaction[] = []
  for (let frame = storage().getStore(); frame !== undefined; frame = frame.outer) {
    if (frame.transaction[control].isOpen) found.push(frame.transaction)
  }
  return found
}

/** The caller's transaction of this database, else its innermost one; also when it has ended. */
export function ambientTransaction(scope: string | undefined): PgTransaction | undefined {
  const innermost = storage().getStore()
  for (let frame = innermost; frame !== undefined; frame = frame.outer) {
    if (frame.transaction.scope === scope) return frame.transaction
  }
  return innermost?.transaction
}
