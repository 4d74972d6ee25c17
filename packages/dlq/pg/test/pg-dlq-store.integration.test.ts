import { dlqStoreCases } from '@evt/dlq/conformance'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import pg from 'pg'
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

describe('in an application that reads dates and large numbers as types of its own', () => {
  let pool: pg.Pool
  beforeEach(() => {
    const getTypeParser = ((oid: number) =>
      [20, 1114, 1184, 1700].includes(oid) ? (text: string) => ({ text }) : pg.types.getTypeParser(oid)) as never
    pool = new pg.Pool({ connectionString: database.url, types: { getTypeParser } })
  })
  afterEach(() => pool.end())
  const createThere = async () => {
    const store = pgDlqStore({ pool })
    await store.migrate()
    return store
  }
  for (const { name, run } of dlqStoreCases(createThere)) test(name, run)
})
