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

test.each([
  ['memoryOutbox', () => memoryOutbox({ table: 'x' } as never), { option: 'table' }],
  ['memoryOutboxStore', () => memoryOutboxStore({ maxRows: 5 } as never), { option: 'maxRows' }],
  ['its relay', () => memoryOutbox({ relay: { bach: 5 } as never }), { option: 'bach' }],
])('an option of %s that nobody reads is refused by name', (_what, make, details) => {
  expect(make).toThrow(
    expect.objectContaining({ code: 'EVT_OPTION_UNKNOWN', details: expect.objectContaining(details) }),
  )
})
