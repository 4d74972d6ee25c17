import { type ConformanceCase, failureOf } from '@evt/core/conformance'
import { type MemoryTransaction, memoryTransactions } from '@evt/outbox'
import { idempotencyCases, inboxCases } from '../src/conformance/index.ts'
import {
  type EndingTransaction,
  type IdempotencyStore,
  type InboxStore,
  memoryIdempotencyStore,
  memoryInbox,
} from '../src/index.ts'

type Inbox = InboxStore<EndingTransaction>

/** Inboxes with one mistake each, most of them seen in the wild. */
const inboxBugs: Record<string, (inbox: Inbox) => Partial<Inbox>> = {
  'marks before the effect commits': (inbox) => ({
    enter: (transaction, consumer, keys) =>
      inbox.enter({ onEnd: (listener) => transaction.onEnd(() => listener(true)) }, consumer, keys),
  }),
  'marks for all consumers': (inbox) => ({
    enter: (transaction, _consumer, keys) => inbox.enter(transaction, 'all', keys),
  }),
  'lets concurrent duplicates pass': (inbox) => ({
    enter: async (transaction, consumer, keys) =>
      (await inbox.enter(transaction, consumer, keys)).map((entered) => (entered === 'held' ? 'fresh' : entered)),
  }),
  'takes what is in flight for done': (inbox) => ({
    enter: async (transaction, consumer, keys) =>
      (await inbox.enter(transaction, consumer, keys)).map((entered) => (entered === 'held' ? 'done' : entered)),
  }),
  'remembers nothing': () => ({ enter: async (_transaction, _consumer, keys) => keys.map(() => 'fresh') }),
  'cuts keys at NUL': (inbox) => ({
    enter: (transaction, consumer, keys) =>
      inbox.enter(
        transaction,
        consumer,
        keys.map((key) => key.split('\0')[0]!.slice(0, 4)),
      ),
  }),
  'answers in another order': (inbox) => ({
    enter: async (transaction, consumer, keys) => [...(await inbox.enter(transaction, consumer, keys))].reverse(),
  }),
}

const storeBugs: Record<string, (store: IdempotencyStore) => Partial<IdempotencyStore>> = {
  'marks before the handler runs': (store) => ({
    async claim(consumer, keys, options) {
      const claimed = await store.claim(consumer, keys, options)
      await store.complete(
        claimed.flatMap((each, index) =>
          each.status === 'claimed' ? [{ consumer, key: keys[index]!, owner: options.owner, fence: each.fence }] : [],
        ),
        60_000,
      )
      return claimed
    },
  }),
  'claims for all consumers': (store) => {
    const all = (claims: Parameters<IdempotencyStore['release']>[0]) =>
      claims.map((claim) => ({ ...claim, consumer: 'all' }))
    return {
      claim: (_consumer, keys, options) => store.claim('all', keys, options),
      complete: (claims, ttlMs) => store.complete(all(claims), ttlMs),
      release: (claims) => store.release(all(claims)),
    }
  },
  'never gives back': () => ({ release: async (claims) => claims.map(() => true) }),
  'renews nothing': () => ({ renew: async (claims) => claims.map(() => true) }),
  'completes for whoever asks': (store) => ({
    async complete(claims, ttlMs) {
      await store.complete(claims, ttlMs)
      return claims.map(() => true)
    },
  }),
  'never forgets': (store) => ({ complete: (claims) => store.complete(claims, 1e9) }),
  'never ends a lease': (store) => ({
    claim: (consumer, keys, options) => store.claim(consumer, keys, { ...options, leaseMs: 1e9 }),
  }),
  'takes what is held for done': (store) => ({
    claim: async (consumer, keys, options) =>
      (await store.claim(consumer, keys, options)).map((each) => (each.status === 'held' ? { status: 'done' } : each)),
  }),
  'keeps the fence where it is': (store) => ({
    claim: async (consumer, keys, options) =>
      (await store.claim(consumer, keys, options)).map((each) =>
        each.status === 'claimed' ? { ...each, fence: 1n } : each,
      ),
  }),
  'lets everybody claim': () => ({
    claim: async (_consumer, keys) => keys.map(() => ({ status: 'claimed', fence: 1n })),
  }),
}

async function firstBroken(cases: readonly ConformanceCase[]): Promise<string | undefined> {
  for (const { name, run } of cases) {
    const error = await failureOf(run())
    if (error !== undefined) return `${name}: ${(error as Error).message}`
  }
  return undefined
}

test.each(Object.entries(inboxBugs))(
  'an inbox that %s is caught by a case that names the broken promise',
  async (_bug, breakIt) => {
    const create = async () => {
      const inbox = memoryInbox()
      const effects: string[] = []
      return {
        inbox: { ...inbox, ...breakIt(inbox) },
        transactions: memoryTransactions(),
        record: async (transaction: MemoryTransaction, effect: string) =>
          transaction.onCommit(() => void effects.push(effect)),
        recorded: async () => effects,
      }
    }
    expect(await firstBroken(inboxCases(create))).toMatch(/broken promise: /)
  },
  60_000,
)

test.each(Object.entries(storeBugs))(
  'a store that %s is caught by a case that names the broken promise',
  async (_bug, breakIt) => {
    const create = async () => {
      const store = memoryIdempotencyStore()
      return { store: { ...store, ...breakIt(store) } }
    }
    expect(await firstBroken(idempotencyCases(create))).toMatch(/broken promise: /)
  },
  60_000,
)
