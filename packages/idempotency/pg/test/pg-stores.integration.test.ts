import { isEvtError } from '@evt/core'
import { exactlyOnce } from '@evt/idempotency'
import { idempotencyCases, inboxCases } from '@evt/idempotency/conformance'
import { type PgTransaction, pgTransactions } from '@evt/pg'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { pgIdempotencyStore, pgInbox } from '../src/index.ts'

let database: FreshDatabase
let tables = 0
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

describe('the PostgreSQL inbox', () => {
  /** Tables of its own for every case. */
  const create = async () => {
    const { pool } = database
    const table = `inbox_${++tables}`
    const inbox = pgInbox({ pool, table })
    await inbox.migrate()
    await pool.query(`create table ${table}_effects (id text not null)`)
    return {
      inbox,
      transactions: pgTransactions({ pool }),
      async record(transaction: PgTransaction, effect: string) {
        await transaction.query(`insert into ${table}_effects values ($1)`, [effect])
      },
      recorded: async () =>
        (await pool.query<{ id: string }>(`select id from ${table}_effects`)).rows.map((row) => row.id),
    }
  }
  for (const { name, run } of inboxCases(create)) test(name, run, 20_000)

  test('purge forgets old entries, in bounded steps', async () => {
    const inbox = pgInbox({ pool: database.pool, table: `inbox_${++tables}` })
    await inbox.migrate()
    const keys = Array.from({ length: 10 }, (_v, n) => `k${n}`)
    await pgTransactions({ pool: database.pool }).run((transaction) => inbox.enter(transaction, 'a', keys))
    expect(await inbox.purge({ olderThanMs: 60_000 })).toBe(0)
    expect(await inbox.purge({ olderThanMs: 0, limit: 6 })).toBe(6)
    expect(await inbox.purge({ olderThanMs: 0 })).toBe(4)
  })

  test('refuses transactions of another database, at construction where both have been asked', async () => {
    const [one, other] = [await freshDatabase(), await freshDatabase()]
    const inbox = pgInbox({ pool: one.pool })
    const transactions = pgTransactions({ pool: other.pool })
    await inbox.migrate()
    const entering = transactions.run((transaction) => inbox.enter(transaction, 'a', ['one']))
    const error: unknown = await entering.catch((thrown: unknown) => thrown)
    expect(isEvtError(error, 'EVT_TRANSACTION_FOREIGN')).toBe(true)
    expect(() => exactlyOnce({ transactions, inbox })).toThrow(/could not commit together/)
    await Promise.all([one.drop(), other.drop()])
  })
})

describe('the PostgreSQL idempotency store', () => {
  const create = async () => {
    const store = pgIdempotencyStore({ pool: database.pool, table: `claims_${++tables}` })
    await Promise.all([store.migrate(), store.migrate()])
    return { store }
  }
  for (const { name, run } of idempotencyCases(create)) test(name, run, 20_000)

  test('purge forgets what has ended, in bounded steps, and nothing else', async () => {
    const { store } = await create()
    const keys = Array.from({ length: 10 }, (_v, n) => `k${n}`)
    const claims = (await store.claim('a', keys, { owner: 'x', leaseMs: 60_000 })).map((claimed, index) => {
      if (claimed.status !== 'claimed') throw new Error('expected a claim')
      return { consumer: 'a', key: keys[index]!, owner: 'x', fence: claimed.fence }
    })
    await store.release(claims.slice(0, 7))
    await store.complete(claims.slice(7, 9), 60_000)
    expect(await store.purge()).toBe(0)
    expect(await store.purge({ endedMs: 0, limit: 5 })).toBe(5)
    expect(await store.purge({ endedMs: 0 })).toBe(2)
    expect((await store.complete(claims.slice(9), 1)).join()).toBe('true')
  })

  test('a missing table is an error that names it', async () => {
    const { pool } = database
    const store = pgIdempotencyStore({ pool, table: 'elsewhere' })
    const claiming = store.claim('a', ['one'], { owner: 'x', leaseMs: 1_000 })
    await expect(claiming).rejects.toMatchObject({ code: 'EVT_PG_RELATION_MISSING' })
    expect(() => pgIdempotencyStore({ pool, table: 'x"; drop table y; --' })).toThrow(/table/)
  })
})
