import { outboxCases, outboxStoreCases } from '@evt/outbox/conformance'
import { freshDatabase } from '@evt/servers'
import { pgOutbox, pgOutboxStore } from '../src/index.ts'

describe('the PostgreSQL outbox store', () => {
  const create = async () => {
    const { pool, drop } = await freshDatabase()
    const transactions = pgOutbox({ pool, relay: false })
    await transactions.migrate()
    const store = pgOutboxStore({ pool })
    return { store, transactions, reopen: async () => pgOutboxStore({ pool }), dispose: drop }
  }
  for (const { name, run } of outboxStoreCases(create)) test(name, run, 30_000)
})

describe('the PostgreSQL outbox', () => {
  const create = async () => {
    const { pool, drop } = await freshDatabase()
    const other = await freshDatabase()
    const outbox = pgOutbox({ pool, relay: false })
    await outbox.migrate()
    return {
      outbox,
      stranger: async () => pgOutbox({ pool: other.pool, relay: false }),
      async dispose() {
        await Promise.all([drop(), other.drop()])
      },
    }
  }
  for (const { name, run } of outboxCases(create)) test(name, run)
})
