import { type Outgoing, type RelayTarget, silentLogger, systemClock, uuidv7 } from '@evt/core'
import { eventually, gate } from '@evt/core/conformance'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import pg from 'pg'
import { type PgOutbox, pgOutbox } from '../src/index.ts'
import { transactionPooler } from './pooler.ts'

let database: FreshDatabase
const started: PgOutbox[] = []
beforeEach(async () => {
  database = await freshDatabase()
})
afterEach(async () => {
  for (const outbox of started.splice(0)) await outbox.stop()
  await database.drop()
})
const outboxOf = (options: Partial<Parameters<typeof pgOutbox>[0]> = {}) => {
  const outbox = pgOutbox({ pool: database.pool, ...options })
  started.push(outbox)
  return outbox
}
const message = (text: string, key = 'k') => {
  const id = uuidv7(Date.now())
  return { transport: 'main', id, topic: 't', key, headers: { text }, payload: Buffer.from(text) }
}
/** A bus with one transport that remembers what it was given. */
function recording(answer: (batch: readonly Outgoing[]) => Promise<void> = async () => {}) {
  const published: string[] = []
  const target: RelayTarget = {
    clock: systemClock,
    logger: silentLogger,
    transports: ['main'],
    supports: () => ({
      durability: 'broker',
      publishOrder: 'prefix',
      confirms: 'accepted',
      maxMessageBytes: 1_000_000,
    }),
    async publish(_transport, batch) {
      await answer(batch)
      published.push(...batch.map((each) => each.headers.text!))
      return []
    },
  }
  return { published, target }
}
const longPollMs = 600_000
const listening = async () => {
  const { rows } = await database.pool.query(`select from pg_stat_activity where query like 'listen%'`)
  return rows.length === 1
}

test('a commit in another process wakes the relay, long before it would look by itself', async () => {
  const relay = outboxOf({ relay: { pollMs: longPollMs } })
  await relay.migrate()
  const writer = outboxOf({ relay: false })
  const { published, target } = recording()
  await relay.start(target)
  await eventually(listening, 'the relay listens')
  for (const text of ['1', '2', '3']) {
    await writer.store([message(text)])
    await eventually(() => published.includes(text), `${text} is published`)
  }
})

test('a commit of the leading process wakes its relay directly: nothing is notified, inside or after the transaction', async () => {
  const statements: string[] = []
  const pool = {
    async connect() {
      const client = await database.pool.connect()
      return {
        release: (error?: Error | boolean) => client.release(error),
        query(sql: string, values?: unknown[]) {
          statements.push(sql)
          return client.query(sql, values)
        },
      }
    },
  }
  const relay = outboxOf({ pool, listen: { pool: database.pool }, relay: { pollMs: longPollMs } })
  await relay.migrate()
  const { published, target } = recording()
  await relay.start(target)
  await eventually(() => statements.some((sql) => sql.includes('as held')), 'it leads')
  for (const text of ['1', '2']) {
    await relay.store([message(text)])
    await eventually(() => published.includes(text), `${text} is published`)
  }
  expect(statements.filter((sql) => /notify/i.test(sql))).toEqual([])
})

test('a relay whose LISTEN is lost goes on by polling', async () => {
  let gone = false
  const listenPool = {
    connect: async () => (gone ? Promise.reject(new Error('no connection for LISTEN')) : database.pool.connect()),
  }
  const relay = outboxOf({ listen: { pool: listenPool }, relay: { pollMs: 20 } })
  await relay.migrate()
  const writer = outboxOf({ relay: false, listen: false })
  const { published, target } = recording()
  await relay.start(target)
  await eventually(listening, 'the relay listens')
  gone = true
  await database.pool.query(`select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'`)
  await writer.store([message('1')])
  await eventually(() => published.length === 1, 'it is found by polling')
})

test('one connection is enough for writing, reading, deleting and leading', async () => {
  const pool = new pg.Pool({ connectionString: database.url, max: 1 })
  const outbox = outboxOf({ pool, relay: { batch: 3, pollMs: 10 } })
  await outbox.migrate()
  const { published, target } = recording()
  await outbox.start(target)
  for (let n = 0; n < 20; n += 1) {
    await outbox.run(async (tx) => {
      await tx.query('select 1')
      await outbox.append(tx, [message(String(n))])
    })
  }
  await eventually(() => published.length === 20, 'all are published')
  await outbox.stop()
  await pool.end()
})

test('behind a transaction pooler everything works, with legal statements only', async () => {
  const pool = transactionPooler(database.pool)
  const outbox = outboxOf({ pool, listen: { pool: database.pool }, relay: { batch: 3, pollMs: 10 } })
  await outbox.migrate()
  const { published, target } = recording()
  await outbox.start(target)
  for (let n = 0; n < 10; n += 1) await outbox.run((tx) => outbox.append(tx, [message(String(n))]))
  await eventually(async () => published.length === 10 && (await outbox.count()).waiting === 0, 'all are published')
  expect(published).toEqual(Array.from({ length: 10 }, (_v, n) => String(n)))
  expect(pool.refused).toEqual([])
})

test('a row that somebody damaged is put aside with its reason, and holds up nothing', async () => {
  const outbox = outboxOf({ relay: { pollMs: 10 } })
  await outbox.migrate()
  await outbox.store([message('1'), message('2'), message('3', 'other')])
  await database.pool.query(`update evt_outbox set headers = '{broken' where convert_from(payload, 'UTF8') = '1'`)
  const { published, target } = recording()
  await outbox.start(target)
  await eventually(async () => (await outbox.count()).waiting === 0, 'nothing waits')
  expect(published).toEqual(['2', '3'])
  const { rows } = await database.pool.query('select refused from evt_outbox')
  expect(rows[0].refused).toContain('cannot be read')
})

test('a transaction with more than one statement can hold is written in several, in order', async () => {
  const outbox = outboxOf({ relay: { pollMs: 10 } })
  await outbox.migrate()
  const payload = Buffer.alloc(12 * 1_024 * 1_024, 1)
  const large = ['1', '2', '3', '4', '5'].map((text) => ({ ...message(text), payload }))
  await outbox.run((tx) => outbox.append(tx, large))
  expect(await outbox.count()).toEqual({ waiting: 5, parked: 0 })
  const { published, target } = recording()
  await outbox.start(target)
  await eventually(() => published.length === 5, 'all are published', 15_000)
  expect(published).toEqual(['1', '2', '3', '4', '5'])
}, 30_000)

test('rows get their ids right before the commit: a transaction that stays open for long inverts nothing', async () => {
  const outbox = outboxOf({ relay: false })
  await outbox.migrate()
  const [written, finish] = [gate(), gate()]
  const slow = outbox.run(async (tx) => {
    await outbox.append(tx, [message('slow')])
    written.open()
    await finish.opened
  })
  await written.opened
  await outbox.store([message('quick')])
  finish.open()
  await slow
  const { published, target } = recording()
  await outbox.start(target)
  await outbox.relay.drain({ budgetMs: 5_000 })
  expect(published).toEqual(['quick', 'slow'])
})

test('the database going away and coming back costs nothing but time', async () => {
  const outbox = outboxOf({ relay: { pollMs: 10 } })
  await outbox.migrate()
  const { published, target } = recording()
  await outbox.start(target)
  for (let round = 0; round < 5; round += 1) {
    await database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    )
    await eventually(
      () =>
        outbox.store([message(String(round))]).then(
          () => true,
          () => false,
        ),
      'the writer gets through',
    )
  }
  await eventually(
    async () => new Set(published).size === 5 && (await outbox.count()).waiting === 0,
    'all arrive',
    15_000,
  )
}, 30_000)
