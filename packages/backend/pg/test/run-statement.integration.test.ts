import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { type PgPoolLike, type PgQueryable, pgTransactions, runStatement, withConnection } from '../src/index.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

type Query = (...given: readonly unknown[]) => Promise<never>
/** What people put around a client, to count or to trace. */
const wrappers: Record<string, (query: Query) => Query> = {
  'of pg itself': (query) => query,
  'that passes on text and values alone': (query) => (sql, values) => query(sql, values),
  'that passes on whatever it was given':
    (query) =>
    (...given) =>
      query(...given),
  'that passes it on from a function that is asynchronous':
    (query) =>
    async (...given) => {
      await Promise.resolve()
      return query(...given)
    },
}

describe.each(Object.entries(wrappers))('a connection %s', (_which, wrap) => {
  const wrapped: PgPoolLike = {
    async connect() {
      const client = await database.pool.connect()
      return {
        query: wrap(client.query.bind(client) as Query),
        release: (error) => client.release(error),
        on: (event, listener) => client.on(event, listener),
        removeListener: (event, listener) => client.removeListener(event, listener),
      }
    },
  }
  const ask = (sql: string, values?: unknown[]) =>
    withConnection(wrapped, (connection: PgQueryable) => runStatement(connection, sql, values))

  test('answers a statement with its rows', async () => {
    expect(await ask('select $1::int as n', [7])).toMatchObject({ rows: [{ n: 7 }], rowCount: 1, command: 'SELECT' })
    expect(await ask('select 1 as n; select 2 as n')).toMatchObject([{ rows: [{ n: 1 }] }, { rows: [{ n: 2 }] }])
  })

  test('fails with the error of the server', async () => {
    await expect(ask('select 1/$1::int as n', [0])).rejects.toMatchObject({ code: '22012' })
    await expect(ask('select nothing')).rejects.toMatchObject({ code: '42703' })
  })

  test('carries a transaction, whose failures name the statement that failed', async () => {
    const transactions = pgTransactions({ pool: wrapped })
    const work = transactions.run(async (transaction) => {
      await transaction.query('select 1')
      await transaction.query('select 1/0')
    })
    await expect(work).rejects.toMatchObject({ code: '22012' })
  })
})

test('the stack of a failure in a transaction leads to whoever asked', async () => {
  async function whoAsks() {
    await pgTransactions({ pool: database.pool }).run((transaction) => transaction.query('select $1/0', [1]))
  }
  const error = (await whoAsks().catch((thrown: unknown) => thrown)) as Error
  expect(error.stack).toContain('whoAsks')
})
