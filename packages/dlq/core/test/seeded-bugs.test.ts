import { failureOf } from '@evt/core/conformance'
import { dlqStoreCases } from '../src/conformance/index.ts'
import { type DlqStore, memoryDlqStore } from '../src/index.ts'

/** Stores with one mistake each, as seen in the wild. */
const bugs: Record<string, (store: DlqStore) => Partial<DlqStore>> = {
  'keeps a letter twice': (store) => {
    let copies = 0
    return {
      append: (entries) => store.append(entries.map((entry) => ({ ...entry, id: `${entry.id}-${++copies}` }))),
    }
  },
  'ignores a filter when counting': (store) => ({ count: () => store.count() }),
  'ignores the consumer when listing': (store) => ({
    list: (filter = {}, page) => store.list({ ...filter, consumer: undefined }, page),
  }),
  'limits before it filters': (store) => ({
    async list(filter = {}, page = {}) {
      const all = await store.list({}, page)
      return { ...all, entries: all.entries.filter((entry) => (filter.event ?? entry.event) === entry.event).slice(1) }
    },
  }),
  'pages by count': (store) => ({
    async list(filter, page = {}) {
      const all = (await store.list(filter, { limit: 500 })).entries
      const from = Number(page.cursor ?? 0) || 0
      const entries = all.slice(from, from + (page.limit ?? 100))
      if ((page.limit ?? 0) > 500) throw new Error('too many')
      return { entries, cursor: from + entries.length < all.length ? String(from + entries.length) : undefined }
    },
  }),
  'changes text': (store) => ({
    append: (entries) => store.append(entries.map((entry) => ({ ...entry, key: entry.key?.toWellFormed() }))),
  }),
}

test.each(Object.entries(bugs))(
  'a store that %s is caught by a case that names the broken promise',
  async (_bug, breakIt) => {
    const create = async () => {
      const store = memoryDlqStore()
      return { ...store, ...breakIt(store) }
    }
    const failures = await Promise.all(dlqStoreCases(create).map(({ run }) => failureOf(run())))
    expect(failures.map(String).join('\n')).toMatch(/broken promise: /)
  },
)
