import { outboxCases, outboxStoreCases } from '../src/conformance/index.ts'
import { memoryOutbox, memoryOutboxStore, memoryTransactions } from '../src/index.ts'

describe('the memory outbox store', () => {
  const create = async () => ({
    store: memoryOutboxStore(),
    transactions: memoryTransactions(),
    reopen: async () => memoryOutboxStore(),
  })
  for (const { name, run } of outboxStoreCases(create)) test(name, run)
})

describe('the memory outbox', () => {
  const create = async () => ({ outbox: memoryOutbox({ relay: false }), stranger: async () => memoryOutbox() })
  for (const { name, run } of outboxCases(create)) test(name, run)
})
