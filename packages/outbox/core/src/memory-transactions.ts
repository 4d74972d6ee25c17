import { AsyncLocalStorage } from 'node:async_hooks'
import { evtError, type Transactions } from '@evt/core'

/** A transaction over things in this process: what is to happen at its commit, and who wants to know of its end. */
export interface MemoryTransaction {
  readonly isOpen: boolean
  /** Runs at the commit, in the order given; all at once for everybody who looks from outside. Must not throw. */
  onCommit(apply: () => void): void
  /** Runs after commit or rollback. Must not throw. */
  onEnd(listener: (committed: boolean) => void): void
}
export interface MemoryTransactions extends Transactions<MemoryTransaction> {
  /** The transaction if it is an open one of these, else `EVT_TX_CLOSED`, `EVT_TRANSACTION_FOREIGN`, `EVT_OUTBOX_NO_TRANSACTION`. */
  resolve(transaction: unknown): MemoryTransaction
}
interface Open extends MemoryTransaction {
  readonly scope: object
  enter(): (failed?: { readonly error: unknown }) => void
}

/** Transactions of one process, with nested runs that join and a failed one that dooms the whole. */
export function memoryTransactions(): MemoryTransactions {
  const scope = {}
  const storage = new AsyncLocalStorage<Open>()
  const resolve = (transaction: unknown): Open => {
    if (typeof transaction !== 'object' || transaction === null || !('onCommit' in transaction)) {
      throw evtError('EVT_OUTBOX_NO_TRANSACTION', 'Expected a transaction of `run`', { outbox: 'memory' })
    }
    const open = transaction as Open
    if (open.scope !== scope) {
      const details = { expected: 'this memory outbox', actual: 'another one' }
      throw evtError('EVT_TRANSACTION_FOREIGN', 'The transaction belongs to another memory outbox', details)
    }
    if (!open.isOpen) throw closed('The transaction has ended')
    return open
  }
  const nested = async <Result>(open: Open, work: (transaction: MemoryTransaction) => Promise<Result>) => {
    const leave = open.enter()
    let result: Result
    try {
      result = await work(open)
    } catch (error) {
      leave({ error })
      throw error
    }
    leave()
    return result
  }
  return {
    resolve,
    ambient: () => storage.getStore(),
    async join(transaction, work) {
      const open = resolve(transaction)
      return storage.run(open, work)
    },
    async run(work) {
      const outer = storage.getStore()
      if (outer?.isOpen) return nested(outer, work)
      const applied: (() => void)[] = []
      const listeners: ((committed: boolean) => void)[] = []
      let inside = 0
      let doom: { readonly error: unknown } | undefined
      const checkOpen = () => {
        if (!transaction.isOpen) throw closed('The transaction has ended')
      }
      const transaction: { -readonly [Field in keyof Open]: Open[Field] } = {
        scope,
        // A field: an accessor would give every transaction a hidden class of its own.
        isOpen: true,
        onCommit(apply) {
          checkOpen()
          applied.push(apply)
        },
        onEnd(listener) {
          checkOpen()
          listeners.push(listener)
        },
        enter() {
          checkOpen()
          inside += 1
          return (failed) => {
            inside -= 1
            doom ??= failed
          }
        },
      }
      let committed = false
      try {
        const result = await storage.run(transaction, () => work(transaction))
        transaction.isOpen = false
        if (inside > 0) doom ??= { error: closed('A nested run was still going on when its transaction was to commit') }
        if (doom !== undefined) throw doom.error
        for (const apply of applied) apply()
        committed = true
        return result
      } finally {
        transaction.isOpen = false
        for (const listener of listeners) storage.exit(() => listener(committed))
      }
    },
  }
}

function closed(message: string): Error {
  return evtError('EVT_TX_CLOSED', message, { outbox: 'memory' })
}
