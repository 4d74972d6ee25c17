import { type Clock, systemClock } from '@evt/core'
import { eventually } from '@evt/core/conformance'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import pg from 'pg'
import { pgWake } from '../src/index.ts'

let database: FreshDatabase
beforeEach(async () => {
  database = await freshDatabase()
})
afterEach(() => database.drop())
const listeners = async () =>
  (
    await database.pool.query(
      `select pid from pg_stat_activity where query like 'listen%' and datname = current_database()`,
    )
  ).rows as { pid: number }[]

test('a notification reaches every listener of the channel, and many of them are one statement', async () => {
  const [one, two, sender] = [1, 2, 3].map(() => pgWake({ pool: database.pool, channel: 'things' }))
  let woken = 0
  let others = 0
  const other = pgWake({ pool: database.pool, channel: 'others' })
  one!.listen(() => {
    woken += 1
  })
  two!.listen(() => {
    woken += 1
  })
  other.listen(() => {
    others += 1
  })
  // Each is woken once when it begins to listen.
  await eventually(() => woken === 2 && others === 1, 'both listen')
  for (let n = 0; n < 1_000; n += 1) sender!.notify()
  await eventually(() => woken === 4, 'both are woken, once')
  expect(others).toBe(1)
  await Promise.all([one, two, other, sender].map((wake) => wake!.close()))
  expect(await listeners()).toEqual([])
})

test('a listener whose connection is lost takes another and is woken, for what it may have missed', async () => {
  const wake = pgWake({ pool: database.pool, channel: 'things' })
  let woken = 0
  wake.listen(() => {
    woken += 1
  })
  await eventually(() => woken === 1, 'it listens')
  const [before] = await listeners()
  await database.pool.query('select pg_terminate_backend($1)', [before!.pid])
  await eventually(() => woken === 2, 'it listens again')
  expect((await listeners())[0]!.pid).not.toBe(before!.pid)
  wake.notify()
  await eventually(() => woken === 3, 'and hears')
  await wake.close()
})

test('a lost connection that a notification finds again before the retry is the only one, and the pool can end', async () => {
  const timers = new Map<() => void, number>()
  const clock: Clock = {
    ...systemClock,
    startTimer(run, delayMs) {
      const timer = () => run()
      timers.set(timer, delayMs)
      return { cancel: () => void timers.delete(timer) }
    },
  }
  const fire = (delayMs: number) => {
    for (const [timer, afterMs] of [...timers]) if (afterMs === delayMs && timers.delete(timer)) timer()
  }
  const pool = new pg.Pool({ connectionString: database.url, max: 4 })
  pool.on('error', () => undefined)
  const wake = pgWake({ pool, channel: 'things', clock })
  let woken = 0
  wake.listen(() => {
    woken += 1
  })
  await eventually(() => woken === 1, 'it listens')
  const [before] = await listeners()
  await database.pool.query('select pg_terminate_backend($1)', [before!.pid])
  await eventually(() => pool.totalCount === 0, 'the connection is lost')
  wake.notify()
  fire(10)
  await eventually(() => woken >= 2, 'the notification brings it back')
  fire(1_000)
  await wake.close()
  // A connection that nobody gives back keeps the pool from ending.
  expect(pool.totalCount).toBe(0)
  await pool.end()
})

test('after close nothing is sent or heard, and the pool can end', async () => {
  const wake = pgWake({ pool: database.pool, channel: 'things' })
  wake.listen(() => undefined)
  wake.notify()
  await wake.close()
  await wake.close()
  wake.notify()
  wake.listen(() => undefined)
  expect(await listeners()).toEqual([])
  expect(() => pgWake({ pool: database.pool, channel: `x"; listen y; --` })).toThrow(/channel/)
})

test('a notification does not wait for those who hold the connections of its pool', async () => {
  const pool = new pg.Pool({ connectionString: database.url, max: 2 })
  const listener = pgWake({ pool: database.pool, channel: 'things' })
  const sender = pgWake({ pool, channel: 'things' })
  let woken = 0
  listener.listen(() => {
    woken += 1
  })
  await eventually(() => woken === 1, 'it listens')
  sender.notify()
  await eventually(() => woken === 2, 'the first notification takes a connection and keeps it')
  const busy = await pool.connect()
  const waiting = pool.connect()
  sender.notify()
  await eventually(() => woken === 3, 'the next needs none')
  busy.release()
  ;(await waiting).release()
  await Promise.all([listener.close(), sender.close()])
  await pool.end()
})

test('whoever only notifies keeps no connection that the end of the pool would wait for', async () => {
  const pool = new pg.Pool({ connectionString: database.url, max: 1 })
  pgWake({ pool, channel: 'things' }).notify()
  await eventually(() => pool.totalCount === 1, 'it has connected')
  await pool.end()
  expect(pool.totalCount).toBe(0)
})

test('a logger that throws keeps nobody from listening again, and ends no process', async () => {
  const refuse = () => {
    throw new Error('the disk of the log is full')
  }
  const logger = { debug: refuse, info: refuse, warn: refuse, error: refuse }
  let isAway = false
  const pool = { connect: () => (isAway ? Promise.reject(new Error('away')) : database.pool.connect()) }
  const wake = pgWake({ pool, channel: 'things', logger })
  let woken = 0
  wake.listen(() => {
    woken += 1
  })
  await eventually(() => woken === 1, 'it listens')
  const [before] = await listeners()
  isAway = true
  await database.pool.query('select pg_terminate_backend($1)', [before!.pid])
  await eventually(async () => (await listeners()).length === 0, 'it has lost its connection')
  isAway = false
  await eventually(() => woken === 2, 'it listens again')
  await wake.close()
})
