import { dlqStoreCases } from '@evt/dlq/conformance'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { pgDlqStore } from '../src/index.ts'

let database: FreshDatabase
beforeEach(async () => {
  database = await freshDatabase()
})
afterEach(() => database.drop())

const create = async () => {
  const store = pgDlqStore({ pool: database.pool })
  await store.migrate()
  return store
}
for (const { name, run } of dlqStoreCases(create)) test(name, run)
