import { outboxCases, outboxStoreCases } from '@evt/outbox/conformance'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { pgOutbox, pgOutboxStore } from '../src/index.ts'

let database: FreshDatabase
let other: FreshDatabase
let tables = 0
beforeAll(async () => {
  database = await freshDatabase()
  other = await freshDatabase()
})
afterAll(async () => {
  await database.drop()
  await other.drop()
})
/** Tables of its own for every case. */
const freshOutbox = async () => {
  const place = { pool: database.pool, table: `outbox_${++tables}` }
  const outbox = pgOutbox({ ...place, relay: false })
  await outbox.migrate()
  return { outbox, place }
}

describe('the PostgreSQL outbox store', () => {
  const create = async () => {
    const { outbox, place } = await freshOutbox()
    return { store: pgOutboxStore(place), transactions: outbox, reopen: async () => pgOutboxStore(place) }
  }
  for (const { name, run } of outboxStoreCases(create)) test(name, run, 30_000)
})

describe('the PostgreSQL outbox', () => {
  const create = async () => ({
    outbox: (await freshOutbox()).outbox,
    stranger: async () => pgOutbox({ pool: other.pool, relay: false }),
  })
  for (const { name, run } of outboxCases(create)) test(name, run, 20_000)
})
