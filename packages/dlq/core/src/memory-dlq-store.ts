import { checkKnown, type DeadLetterEntry, evtError, wholeNumber } from '@evt/core'
import { checkFilter, checkId, pageLimit } from './check-query.ts'
import type { DlqFilter, DlqStore } from './dlq-store.ts'
import type {} from './errors.ts'

/** Dead letters in this process. Full means that the message stays with its consumer: nothing is dropped. */
export function memoryDlqStore(options: { readonly maxEntries?: number | undefined } = {}): DlqStore {
  checkKnown('memoryDlqStore', options, ['maxEntries'])
  const maxEntries = wholeNumber('maxEntries', options.maxEntries, { min: 1, default: 10_000 })
  const entries = new Map<string, DeadLetterEntry>()
  const matching = (filter: DlqFilter) => {
    checkFilter(filter)
    return [...entries.values()]
      .filter((entry) => matches(entry, filter))
      .sort((left, right) => (left.id < right.id ? -1 : 1))
  }
  return {
    name: 'memory',
    async append(added) {
      const fresh = added.filter((entry) => !entries.has(entry.id))
      if (entries.size + fresh.length > maxEntries) {
        throw evtError(
          'EVT_DLQ_FULL',
          `The memory store keeps ${maxEntries} dead letters and is full`,
          { maxEntries },
          { retryable: true },
        )
      }
      for (const entry of fresh) entries.set(entry.id, entry)
    },
    async blockedKeys(consumer, topic, keys) {
      const letters = matching({ consumer }).filter((entry) => entry.topic === topic)
      return keys.filter((key) => letters.some((entry) => entry.key === key))
    },
    async get(id) {
      checkId(id)
      return entries.get(id)
    },
    async list(filter = {}, page = {}) {
      const limit = pageLimit(page)
      const { cursor } = page
      const found = matching(filter).filter((entry) => cursor === undefined || entry.id > cursor)
      const some = found.slice(0, limit)
      return { entries: some, cursor: found.length > limit ? some.at(-1)!.id : undefined }
    },
    count: async (filter = {}) => matching(filter).length,
  }
}

function matches(entry: DeadLetterEntry, filter: DlqFilter): boolean {
  return (
    (filter.event === undefined || entry.event === filter.event) &&
    (filter.consumer === undefined || entry.consumer === filter.consumer) &&
    (filter.from === undefined || entry.deadLetteredAt >= filter.from) &&
    (filter.to === undefined || entry.deadLetteredAt < filter.to)
  )
}
