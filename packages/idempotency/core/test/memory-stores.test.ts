import { isEvtError } from '@evt/core'
import { type MemoryTransaction, memoryTransactions } from '@evt/outbox'
import { idempotencyCases, inboxCases } from '../src/conformance/index.ts'
import { memoryIdempotencyStore, memoryInbox } from '../src/index.ts'

describe('the memory inbox', () => {
  const create = async () => {
    const effects: string[] = []
    return {
      inbox: memoryInbox(),
      transactions: memoryTransactions(),
      record: async (transaction: MemoryTransaction, effect: string) =>
        transaction.onCommit(() => void effects.push(effect)),
      recorded: async () => effects,
    }
  }
  for (const { name, run } of inboxCases(create)) test(name, run)

  test('forgets what was handled longest ago once it is full', async () => {
    const inbox = memoryInbox({ maxEntries: 2 })
    const transactions = memoryTransactions()
    const enter = (key: string) => transactions.run((transaction) => inbox.enter(transaction, 'a', [key]))
    for (const key of ['1', '2', '3']) await enter(key)
    expect(await enter('3')).toEqual(['done'])
    expect(await enter('1')).toEqual(['fresh'])
  })
})

describe('the memory idempotency store', () => {
  for (const { name, run } of idempotencyCases(async () => ({ store: memoryIdempotencyStore() }))) test(name, run)

  test('forgets what is done before what is being handled, and refuses when everything is', async () => {
    const store = memoryIdempotencyStore({ maxEntries: 2 })
    const claim = async (key: string) => (await store.claim('a', [key], { owner: key, leaseMs: 60_000 }))[0]!
    await claim('running')
    const done = await claim('done')
    if (done.status === 'claimed')
      await store.complete([{ consumer: 'a', key: 'done', owner: 'done', fence: done.fence }], 60_000)
    await claim('next')
    expect((await claim('running')).status).toBe('held')
    const error: unknown = await claim('too many').catch((thrown: unknown) => thrown)
    expect(isEvtError(error, 'EVT_IDEMPOTENCY_FULL') && error.retryable).toBe(true)
  })
})
