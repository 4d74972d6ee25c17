import type { ConformanceCase } from '@evt/core/conformance'
import { failureOf } from '@evt/core/conformance'
import { type OutboxStoreHarness, outboxStoreCases } from '../src/conformance/index.ts'
import { type MemoryTransaction, memoryOutboxStore, memoryTransactions, type OutboxStore } from '../src/index.ts'

type Store = OutboxStore<Pick<MemoryTransaction, 'onCommit'>>
const atOnce = { onCommit: (apply: () => void) => apply() }

/** Stores with one mistake each, as adapters make them. */
const bugs: Record<string, (store: Store) => Partial<Store>> = {
  'writes outside the transaction': (store) => ({ append: (_transaction, messages) => store.append(atOnce, messages) }),
  'loses all but the first message of a transaction': (store) => ({
    append: (transaction, messages) => store.append(transaction, messages.slice(0, 1)),
  }),
  'reads in another order': (store) => ({ read: async (range) => [...(await store.read(range))].reverse() }),
  'reads on where the last read ended': (store) => {
    let cursor: string | undefined
    return {
      async read(range) {
        const rows = await store.read({ ...range, after: range.after ?? cursor })
        cursor = rows.at(-1)?.position ?? cursor
        return rows
      },
    }
  },
  'reads beyond the upper position': (store) => ({ read: (range) => store.read({ ...range, upTo: '999999' }) }),
  'ignores the limit': (store) => ({ read: (range) => store.read({ ...range, limit: 10_000 }) }),
  'ignores the bytes': (store) => ({ read: (range) => store.read({ ...range, maxBytes: 1e12 }) }),
  'reads blocked keys': (store) => ({ read: (range) => store.read({ ...range, skipKeys: [] }) }),
  'reads every transport': (store) => ({
    read: (range) => store.read({ ...range, transport: { noneOf: [] } }),
  }),
  'cuts text at NUL': (store) => ({
    append: (transaction, messages) =>
      store.append(
        transaction,
        messages.map((message) => ({ ...message, id: message.id.split('\0')[0]! })),
      ),
  }),
  'replaces halves of surrogate pairs': (store) => ({
    append: (transaction, messages) =>
      store.append(
        transaction,
        messages.map((message) => ({
          ...message,
          headers: { ...message.headers, text: message.headers.text!.toWellFormed() },
        })),
      ),
  }),
  'lets everybody lead': (store) => ({
    lead: async (owner) => ({ owner, token: '1', bound: await store.bound() }),
  }),
  'never ends a lead': (store) => ({ lead: (owner) => store.lead(owner, 1e9) }),
  'forgets the bound of a lead': (store) => ({
    async lead(owner, leaseMs) {
      const lead = await store.lead(owner, leaseMs)
      return lead && { ...lead, bound: null }
    },
  }),
  'keeps one token for all': (store) => ({
    async lead(owner, leaseMs) {
      const lead = await store.lead(owner, leaseMs)
      return lead && { ...lead, token: '1' }
    },
  }),
  'lets a former leader put rows aside': (store) => ({
    async park(_lease, rows) {
      await store.delete(rows.map((row) => row.position))
      return true
    },
  }),
  'deletes more than it was told': (store) => ({
    delete: (positions) => store.delete(positions.flatMap((position) => [position, String(Number(position) + 1)])),
  }),
  'deletes nothing': () => ({ delete: async () => {} }),
  'promises more than it keeps': () => ({ probe: async () => ({ durability: 'synced', scope: 'memory' }) }),
}

async function firstBroken(cases: readonly ConformanceCase[]): Promise<string | undefined> {
  for (const { name, run } of cases) {
    const error = await failureOf(run())
    if (error !== undefined) return `${name}: ${(error as Error).message}`
  }
  return undefined
}

test.each(Object.entries(bugs))(
  'a store that %s is caught by a case that names the broken promise',
  async (_bug, breakIt) => {
    const create = async (): Promise<OutboxStoreHarness<MemoryTransaction>> => {
      const broken = (store: Store): Store => ({ ...store, ...breakIt(store) })
      const store = broken(memoryOutboxStore())
      return { store, transactions: memoryTransactions(), reopen: async () => broken(memoryOutboxStore()) }
    }
    expect(await firstBroken(outboxStoreCases(create))).toMatch(/broken promise: /)
  },
  60_000,
)
