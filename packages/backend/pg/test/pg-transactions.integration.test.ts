import { isEvtError } from '@evt/core'
import { eventually, failureOf, gate } from '@evt/core/conformance'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import pg from 'pg'
import { type PgTransaction, pgFailure, pgTransactions } from '../src/index.ts'
import { droppingProxy } from './dropping-proxy.ts'

let database: FreshDatabase
beforeEach(async () => {
  database = await freshDatabase()
  await database.pool.query('create table t (id text)')
})
afterEach(() => database.drop())
const rows = async () => (await database.pool.query('select id from t order by id')).rows.map((row) => row.id as string)
const insert = (tx: PgTransaction, id: string) => tx.query('insert into t values ($1)', [id])

test('what run does commits when its work resolves, and not at all when it rejects', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  expect(await run(async (tx) => (await insert(tx, '1')).rowCount)).toBe(1)
  const failed = run(async (tx) => {
    await insert(tx, '2')
    throw new Error('no')
  })
  await expect(failed).rejects.toThrow('no')
  expect(await rows()).toEqual(['1'])
})

test('the ambient transaction is the one around the caller, and a nested run joins it', async () => {
  const { run, ambient } = pgTransactions({ pool: database.pool })
  expect(ambient()).toBeUndefined()
  const failed = run(async (outer) => {
    expect(ambient()).toBe(outer)
    await run(async (inner) => {
      expect(inner).toBe(outer)
      await insert(inner, 'inner')
    })
    throw new Error('outer')
  })
  await expect(failed).rejects.toThrow('outer')
  expect(await rows()).toEqual([])
})

test('a nested failure dooms the transaction also when its error is swallowed', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  const doomed = run(async (tx) => {
    await insert(tx, 'outer')
    await failureOf(run(async () => Promise.reject(new Error('inner'))))
  })
  await expect(doomed).rejects.toThrow('inner')
  expect(await rows()).toEqual([])
})

test('a failed statement that was swallowed is no commit: run rejects with its error', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  const doomed = run(async (tx) => {
    await insert(tx, '1')
    await failureOf(tx.query('select 1 / 0'))
  })
  await expect(doomed).rejects.toThrow('division by zero')
  expect(await rows()).toEqual([])
})

test('a nested run that is still going on at the end dooms the transaction', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  const never = gate()
  const doomed = run(async (tx) => {
    await insert(tx, '1')
    void run(() => never.opened)
  })
  await expect(doomed).rejects.toMatchObject({ code: 'EVT_TX_CLOSED' })
  expect(await rows()).toEqual([])
})

test('a transaction that has ended takes no statement, no nested run and no hook', async () => {
  const transactions = pgTransactions({ pool: database.pool })
  let kept: PgTransaction | undefined
  let floating: Promise<unknown> | undefined
  const ended = gate()
  await transactions.run(async (tx) => {
    kept = tx
    floating = ended.opened.then(() => failureOf(transactions.resolve(transactions.ambient())))
  })
  ended.open()
  const failures = [
    await floating,
    await failureOf(insert(kept!, 'late')),
    await failureOf(transactions.resolve(kept)),
    await failureOf(transactions.join(kept!, async () => undefined)),
    await failureOf((async () => kept!.beforeCommit(async () => undefined))()),
  ]
  expect(failures.every((error) => isEvtError(error, 'EVT_TX_CLOSED'))).toBe(true)
  expect(await rows()).toEqual([])
})

test('work that floats out of a transaction opens one of its own instead of using a closed one', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  const ended = gate()
  let floating: Promise<unknown> | undefined
  await run(async () => {
    floating = ended.opened.then(() => run((tx) => insert(tx, 'later')))
  })
  ended.open()
  await floating
  expect(await rows()).toEqual(['later'])
})

test('a transaction of another database is EVT_TRANSACTION_FOREIGN, ours and adopted ones alike', async () => {
  const other = await freshDatabase()
  const here = pgTransactions({ pool: database.pool })
  const there = pgTransactions({ pool: other.pool })
  await there.run(async (tx) => {
    expect(isEvtError(await failureOf(here.resolve(tx)), 'EVT_TRANSACTION_FOREIGN')).toBe(true)
    // A run of another database is another transaction, not a nested one.
    await here.run(async (mine) => {
      expect(mine).not.toBe(tx)
      expect([here.ambient(), there.ambient()]).toEqual([mine, tx])
    })
  })
  const client = await other.pool.connect()
  await client.query('begin')
  expect(isEvtError(await failureOf(here.resolve(client)), 'EVT_TRANSACTION_FOREIGN')).toBe(true)
  await client.query('rollback')
  client.release()
  await other.drop()
})

test('a client after BEGIN and an executor are adopted; outside a transaction both are EVT_OUTBOX_NO_TRANSACTION', async () => {
  const { join, resolve, ambient } = pgTransactions({ pool: database.pool })
  const client = await database.pool.connect()
  const executor = (sql: string, values: unknown[]) => client.query(sql, values)
  for (const foreign of [client, executor]) {
    expect(isEvtError(await failureOf(resolve(foreign)), 'EVT_OUTBOX_NO_TRANSACTION')).toBe(true)
    await client.query('begin')
    await join(foreign, async () => void (await insert(ambient()!, 'joined')))
    expect((await resolve(foreign)).afterCommit(() => undefined)).toBe(false)
    await client.query('rollback')
    expect(await rows()).toEqual([])
  }
  const poolIsNoTransaction = (sql: string, values: unknown[]) => database.pool.query(sql, values)
  expect(isEvtError(await failureOf(resolve(poolIsNoTransaction)), 'EVT_OUTBOX_NO_TRANSACTION')).toBe(true)
  client.release()
})

test('asking whether a foreign transaction is one leaves nothing behind and dooms nothing', async () => {
  const { resolve } = pgTransactions({ pool: database.pool })
  const client = await database.pool.connect()
  await client.query('begin')
  await resolve(client)
  await client.query(`insert into t values ('1')`)
  await client.query('commit')
  const { rows: settings } = await client.query(`select current_setting('evt.transaction', true) as value`)
  expect(settings[0].value === null || settings[0].value === '').toBe(true)
  client.release()
  expect(await rows()).toEqual(['1'])
})

test('a connection killed before COMMIT is a known failure, and the pool keeps no broken connection', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  const killed = await failureOf(
    run(async (tx) => {
      const { rows: pids } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
      await insert(tx, '1')
      await database.pool.query('select pg_terminate_backend($1)', [pids[0]!.pid])
      await insert(tx, '2')
    }),
  )
  expect(killed).toBeDefined()
  expect(isEvtError(killed, 'EVT_TX_OUTCOME_UNKNOWN')).toBe(false)
  for (let n = 0; n < 30; n += 1) await run((tx) => tx.query('select 1'))
  expect(await rows()).toEqual([])
})

test('an answer to COMMIT that is lost is EVT_TX_OUTCOME_UNKNOWN, and the transaction may well have committed', async () => {
  const proxy = await droppingProxy(database.url)
  const pool = new pg.Pool({ connectionString: proxy.url, max: 2 })
  pool.on('error', () => undefined)
  const { run } = pgTransactions({ pool })
  await run((tx) => insert(tx, '1'))
  proxy.cutAfter('commit')
  const error = await failureOf(run((tx) => insert(tx, '2')))
  expect(isEvtError(error, 'EVT_TX_OUTCOME_UNKNOWN')).toBe(true)
  await eventually(async () => (await rows()).length === 2, 'it had committed')
  proxy.cutAfter('nothing that is ever sent')
  await run((tx) => insert(tx, '3'))
  expect(await rows()).toEqual(['1', '2', '3'])
  await pool.end()
  await proxy.close()
})

test('a commit that the server refuses is its own error and not an unknown outcome', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  await database.pool.query('create table once (id text unique deferrable initially deferred)')
  const refused = run(async (tx) => {
    await tx.query(`insert into once values ('1'), ('1')`)
  })
  await expect(refused).rejects.toMatchObject({ code: '23505' })
})

test('an unreachable server and a missing database are EVT_PG_UNAVAILABLE and EVT_PG_REFUSED, naming it', async () => {
  const url = new URL(database.url)
  url.port = '1'
  const nowhere = new pg.Pool({ connectionString: url.href })
  const unreachable = await failureOf(pgTransactions({ pool: nowhere }).run(async () => undefined))
  expect(isEvtError(unreachable, 'EVT_PG_UNAVAILABLE') && unreachable.retryable).toBe(true)
  url.port = new URL(database.url).port
  url.pathname = '/no_such_database'
  const missing = new pg.Pool({ connectionString: url.href })
  const wrong = await failureOf(pgTransactions({ pool: missing }).run(async () => undefined))
  expect(isEvtError(wrong, 'EVT_PG_REFUSED')).toBe(true)
  expect((wrong as Error).message).toContain('no_such_database')
  url.pathname = new URL(database.url).pathname
  url.password = 'wrong'
  const refused = new pg.Pool({ connectionString: url.href })
  const unlocked = (await failureOf(refused.query('select 1'))) === undefined
  const denied = await failureOf(pgTransactions({ pool: refused }).run(async () => undefined))
  expect(unlocked || isEvtError(denied, 'EVT_PG_REFUSED')).toBe(true)
  await Promise.all([nowhere.end(), missing.end(), refused.end()])
})

test('hooks before the commit are part of it, and those after it run outside of any transaction', async () => {
  const { run, ambient } = pgTransactions({ pool: database.pool })
  const seen: string[] = []
  await run(async (tx) => {
    tx.beforeCommit(async (query) => {
      seen.push('before')
      await query('insert into t values ($1)', ['hook'])
    })
    tx.afterCommit(() => seen.push(`after ${ambient() === undefined}`))
    seen.push('work')
  })
  expect(seen).toEqual(['work', 'before', 'after true'])
  const failed = run(async (tx) => {
    tx.beforeCommit(async () => Promise.reject(new Error('hook')))
    await insert(tx, 'lost')
  })
  await expect(failed).rejects.toThrow('hook')
  expect(await rows()).toEqual(['hook'])
})

test('a transaction that waits too long for its next statement is ended by the server, with its locks', async () => {
  const { run } = pgTransactions({ pool: database.pool, idleInTransactionMs: 100 })
  const setting = `select current_setting('idle_in_transaction_session_timeout') as is`
  const lock = 'select pg_try_advisory_xact_lock(1) as mine'
  const ended = failureOf(
    run(async (tx) => {
      expect((await tx.query<{ is: string }>(setting)).rows).toEqual([{ is: '100ms' }])
      expect((await tx.query(lock)).rows).toEqual([{ mine: true }])
      // Stands for a connection whose other end is gone: nothing comes any more, and nobody says so.
      await eventually(async () => (await database.pool.query(lock)).rows[0].mine, 'the lock is free again')
      await insert(tx, 'late')
    }),
  )
  expect(await ended).toBeInstanceOf(Error)
  expect(await rows()).toEqual([])
  const lasting = await pgTransactions({ pool: database.pool }).run((tx) => tx.query<{ is: string }>(setting))
  expect(lasting.rows).toEqual([{ is: '1min' }])
  const own = await pgTransactions({ pool: database.pool, idleInTransactionMs: 0 }).run((tx) => tx.query(setting))
  expect(own.rows).toEqual((await database.pool.query(setting)).rows)
})

test.each([
  ["the pool's", 5_000, '5s'],
  ['ours', 3_600_000, '1min'],
])(
  'of our bound on idle transactions and one that the pool sets itself, the shorter holds: %s',
  async (_whose, ownMs, is) => {
    const pool = new pg.Pool({ connectionString: database.url, idle_in_transaction_session_timeout: ownMs })
    try {
      const setting = `select current_setting('idle_in_transaction_session_timeout') as is`
      const { run } = pgTransactions({ pool })
      for (const _transaction of ['the first, which asks who the server is', 'another'])
        expect((await run((tx) => tx.query<{ is: string }>(setting))).rows).toEqual([{ is }])
    } finally {
      await pool.end()
    }
  },
)

test('a statement that floats when the work ends is part of the transaction, also as its first', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  await run(async (tx) => {
    void insert(tx, 'kept')
    void insert(tx, 'too')
  })
  expect(await rows()).toEqual(['kept', 'too'])
  const failed = run(async (tx) => {
    void failureOf(insert(tx, 'lost'))
    throw new Error('no')
  })
  await expect(failed).rejects.toThrow('no')
  expect(await rows()).toEqual(['kept', 'too'])
})

test('where BEGIN fails nothing runs, though its failure was swallowed', async () => {
  let begins = 0
  const refusing = {
    async connect() {
      const client = await database.pool.connect()
      return {
        release: (error?: Error | boolean) => client.release(error),
        query(sql: string, values?: unknown[]) {
          if (!sql.startsWith('begin')) return client.query(sql, values)
          begins += 1
          // The server refuses the first statement of the text, and the connection lives.
          return client.query(`select 1 / 0; ${sql}`, values)
        },
      }
    },
  }
  const { run } = pgTransactions({ pool: refusing })
  for (const first of ['insert into t values (1)', undefined]) {
    const doomed = run(async (tx) => {
      if (first !== undefined) await failureOf(tx.query(first))
      await failureOf(Promise.all([insert(tx, '2'), insert(tx, '3')]))
      tx.beforeCommit(async () => ({ sql: `insert into t values ('4')`, failed: (error) => error }))
    })
    await expect(doomed).rejects.toThrow('division by zero')
  }
  const last = run(async (tx) => {
    tx.beforeCommit(async () => ({ sql: `insert into t values ('5')`, failed: () => new Error('named') }))
  })
  await expect(last).rejects.toThrow('named')
  expect(begins).toBe(3)
  expect(await rows()).toEqual([])
})

test('a statement returned from before the commit goes with it, and a failure of it rolls everything back', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  const last = (sql: string) => ({ sql, failed: (error: unknown) => new Error(`named: ${(error as Error).message}`) })
  await run(async (tx) => {
    tx.beforeCommit(async () => last(`insert into t values ('last')`))
    await insert(tx, 'work')
  })
  expect(await rows()).toEqual(['last', 'work'])
  const failed = run(async (tx) => {
    tx.beforeCommit(async () => last('insert into t values (1 / 0)'))
    await insert(tx, 'lost')
  })
  await expect(failed).rejects.toThrow('named: division by zero')
  const swallowed = run(async (tx) => {
    tx.beforeCommit(async () => last(`insert into t values ('never')`))
    await failureOf(tx.query('select * from nowhere'))
  })
  await expect(swallowed).rejects.toThrow('nowhere')
  expect(await rows()).toEqual(['last', 'work'])
  const open = await database.pool.query(
    `select from pg_stat_activity where state like 'idle in transaction%' and datname = current_database()`,
  )
  expect(open.rowCount).toBe(0)
})

test('a server that says goodbye while the pool hands a connection over ends no process', async () => {
  const proxy = await droppingProxy(database.url)
  proxy.sayGoodbye()
  const pool = new pg.Pool({ connectionString: proxy.url })
  const failed = await failureOf(pgTransactions({ pool }).run((tx) => tx.query('select 1')))
  expect(failed).toBeInstanceOf(Error)
  await pool.end()
  await proxy.close()
})

test('a function that is not there is said to need the migrations', async () => {
  const missing = await failureOf(database.pool.query('select no_such_function()'))
  const named = pgFailure(missing, { operation: 'Reading', relation: '"public"."evt_message"' })
  expect(isEvtError(named, 'EVT_PG_RELATION_MISSING') && named.message).toContain('run its migrations')
})
