import { checkKnown, wholeNumber } from '@evt/core'
import type { Entered, InboxStore } from './inbox-store.ts'

/** What the memory inbox needs of a transaction; `memoryOutbox` of `@evt/outbox` has such. */
export interface EndingTransaction {
  onEnd(listener: (committed: boolean) => void): void
}
export interface MemoryInboxOptions {
  /** Messages remembered. When full, the one handled longest ago is forgotten. Default 100,000. */
  readonly maxEntries?: number | undefined
}

/** The inbox of this process, lost with it. */
export function memoryInbox(options: MemoryInboxOptions = {}): InboxStore<EndingTransaction> {
  checkKnown('memoryInbox', options, ['maxEntries'])
  const maxEntries = wholeNumber('maxEntries', options.maxEntries, { min: 1, default: 100_000 })
  const done = new Set<string>()
  const entering = new Map<string, EndingTransaction>()

  const remember = (at: string) => {
    done.add(at)
    if (done.size <= maxEntries) return
    for (const oldest of done) {
      done.delete(oldest)
      return
    }
  }
  return {
    name: 'memory',
    async enter(transaction, consumer, keys) {
      return keys.map((key): Entered => {
        const at = `${consumer}\n${key}`
        if (done.has(at)) return 'done'
        const holder = entering.get(at)
        if (holder !== undefined) return holder === transaction ? 'done' : 'held'
        transaction.onEnd((committed) => {
          entering.delete(at)
          if (committed) remember(at)
        })
        entering.set(at, transaction)
        return 'fresh'
      })
    },
  }
}
