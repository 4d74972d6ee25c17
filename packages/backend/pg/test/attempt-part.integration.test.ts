import { isEvtError } from '@evt/core'
import { failureOf, gate } from '@evt/core/conformance'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { attemptPart, CommitBuffer, type PgTransaction, pgTransactions } from '../src/index.ts'

let database: FreshDatabase
beforeEach(async () => {
  database = await freshDatabase()
  await database.pool.query('create table t (id text)')
})
afterEach(() => database.drop())
const rows = async () => (await database.pool.query('select id from t order by id')).rows.map((row) => row.id as string)
const insert = (tx: PgTransaction, id: string) => tx.query('insert into t values ($1)', [id])
const failing =
  (id: string, error = new Error('no')) =>
  async (tx: PgTransaction) => {
    await insert(tx, id)
    throw error
  }
const isClosed = (error: unknown) => isEvtError(error, 'EVT_TX_CLOSED')

test('a part that fails is taken back alone, also the first and the second of two in a row', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  const error = new Error('no')
  await run(async (tx) => {
    await insert(tx, 'before')
    expect(await attemptPart(tx, failing('1', error))).toEqual({ status: 'undone', error })
    expect(await attemptPart(tx, failing('2', error))).toEqual({ status: 'undone', error })
    expect(await attemptPart(tx, (part) => insert(part, '3'))).toEqual({ status: 'kept' })
    await insert(tx, 'between')
    expect(await attemptPart(tx, failing('4', error))).toEqual({ status: 'undone', error })
    await insert(tx, 'after')
    expect(await attemptPart(tx, failing('5', error))).toEqual({ status: 'undone', error })
    expect(await attemptPart(tx, (part) => part.query('select 1 / 0'))).toMatchObject({ error: { code: '22012' } })
  })
  expect(await rows()).toEqual(['3', 'after', 'before', 'between'])
})

test('parts inside parts, and savepoints of the work’s own, are taken back one by one', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  await run(async (tx) => {
    const outer = await attemptPart(tx, async (part) => {
      await insert(part, '1')
      await attemptPart(part, (inner) => insert(inner, '2'))
      await part.query('savepoint mine')
      await insert(part, '3')
      throw new Error('no')
    })
    expect(outer.status).toBe('undone')
    await attemptPart(tx, async (part) => {
      await attemptPart(part, failing('4'))
      await insert(part, '5')
    })
  })
  expect(await rows()).toEqual(['5'])
})

test('what a part left running is refused by its handle, and runs of it begin a transaction of their own', async () => {
  const { run, ambient } = pgTransactions({ pool: database.pool })
  const goOn = gate()
  const left: Promise<unknown>[] = []
  await run(async (tx) => {
    await attemptPart(tx, async (part) => {
      expect(ambient()).toBe(part)
      await run(async (nested) => expect(nested).toBe(part))
      const late = async () => {
        await goOn.opened
        expect(ambient()).toBe(part)
        expect(isClosed(await failureOf(insert(part, 'ghost')))).toBe(true)
        await run((own) => insert(own, 'own'))
      }
      left.push(late())
      throw new Error('no')
    })
    goOn.open()
    await Promise.all(left)
    expect(await rows()).toEqual(['own'])
    await insert(tx, 'whole')
  })
  expect(await rows()).toEqual(['own', 'whole'])
})

test('statements that nobody waited for belong to their part, and one of them that fails takes it back', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  await run(async (tx) => {
    const quiet = async (part: PgTransaction) => void insert(part, '1').catch(() => undefined)
    expect(await attemptPart(tx, quiet)).toEqual({ status: 'kept' })
    const bad = async (part: PgTransaction) => {
      void insert(part, '2').catch(() => undefined)
      void part.query('select 1 / 0').catch(() => undefined)
    }
    expect(await attemptPart(tx, bad)).toMatchObject({ status: 'undone', error: { code: '22012' } })
    expect(await attemptPart(tx, (part) => insert(part, '3'))).toEqual({ status: 'kept' })
  })
  expect(await rows()).toEqual(['1', '3'])
})

test('what is to be done at COMMIT is done for parts that were kept', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  const buffer = new CommitBuffer<string>()
  const told: string[] = []
  const add = (tx: PgTransaction, ...items: readonly string[]) =>
    buffer.add(tx, items, () => ({
      async write(query, all) {
        for (const id of all) await query('insert into t values ($1)', [id])
        return undefined
      },
      afterCommit: () => void told.push(items[0]!),
    }))
  await run(async (tx) => {
    await attemptPart(tx, async (part) => {
      add(part, 'lost')
      throw new Error('no')
    })
    await attemptPart(tx, async (part) => {
      add(part, '1')
      await part.query('savepoint mine')
      add(part, 'lost too')
      await part.query('rollback to mine')
    })
    add(tx, '2')
  })
  expect(await rows()).toEqual(['1', '2'])
  expect(told).toEqual(['1', '2'])
})

test.each(['40001', '40P01'])(
  'a part that failed with %s ends the whole transaction, also when the work or the caller hides it',
  async (state) => {
    const { run } = pgTransactions({ pool: database.pool })
    const raise = `do $$ begin raise exception using errcode = '${state}', message = 'again'; end $$`
    const doomed = run(async (tx) => {
      await insert(tx, '1')
      await failureOf(
        attemptPart(tx, async (part) => {
          await failureOf(part.query(raise))
          throw new Error('of the work')
        }),
      )
    })
    await expect(doomed).rejects.toThrow('of the work')
    expect(await rows()).toEqual([])
  },
)

test('a part that outlives its transaction reaches nothing', async () => {
  const { run } = pgTransactions({ pool: database.pool })
  const goOn = gate()
  let late: Promise<unknown> | undefined
  const doomed = run(async (tx) => {
    late = attemptPart(tx, async (part) => {
      await goOn.opened
      await insert(part, 'ghost')
    })
  })
  await expect(doomed).rejects.toMatchObject({ code: 'EVT_TX_CLOSED' })
  goOn.open()
  expect(isClosed(await failureOf(late!))).toBe(true)
  expect(await rows()).toEqual([])
})
