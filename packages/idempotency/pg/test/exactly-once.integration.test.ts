import { createBus, defineEvent, memoryTransport, on, silentLogger, type } from '@evt/core'
import { exactlyOnce } from '@evt/idempotency'
import { pgOutbox } from '@evt/outbox-pg'
import { pgTransactions } from '@evt/pg'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import pgClient from 'pg'
import { pgInbox } from '../src/index.ts'

const Created = defineEvent('order.created', { schema: type<{ id: string }>() })
const Paid = defineEvent('order.paid', { schema: type<{ id: string }>() })
let database: FreshDatabase
beforeEach(async () => {
  database = await freshDatabase()
  await database.pool.query('create table effects (id text not null)')
})
afterEach(() => database.drop())

async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  const endMs = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error('the condition did not come true')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
async function prepared() {
  const pg = pgOutbox({ pool: database.pool })
  const inbox = pgInbox({ pool: database.pool })
  await Promise.all([pg.migrate(), inbox.migrate()])
  return { pg, inbox }
}
const effects = async () =>
  (await database.pool.query('select id from effects order by id')).rows.map((row) => row.id as string)

test('duplicates through the bus have one effect and one outgoing message', async () => {
  const { pg, inbox } = await prepared()
  const once = exactlyOnce({ transactions: pg, inbox })
  await using bus = createBus({ service: 'orders', transport: memoryTransport({ confirm: 'settled' }), outbox: pg })
  const paid: string[] = []
  const charge = on(
    Created,
    once(async (order, _delivery, tx) => {
      await tx.query('insert into effects values ($1)', [order.id])
      return Paid.of({ id: order.id })
    }),
    { group: 'payment' },
  )
  const [subscription] = await bus.subscribe(
    charge,
    on(Paid, (each) => void paid.push(each.id), { group: 'shipping' }),
  )
  await Promise.all(Array.from({ length: 10 }, () => bus.publish(Created, { id: '1' }, { id: 'same' })))
  await until(() => subscription!.stats().acknowledged === 10 && paid.length > 0)
  expect(await effects()).toEqual(['1'])
  expect(paid).toEqual(['1'])
})

test('a commit whose answer is lost is resolved by the inbox: one effect, and no attempt is burnt', async () => {
  let lost = 0
  const losing = {
    async connect() {
      const client = await database.pool.connect()
      return {
        on: (event: 'error', listener: (error: Error) => void) => client.on(event, listener),
        release: (error?: Error | boolean) => client.release(error),
        async query(sql: string, values?: unknown[]) {
          const answer = await client.query(sql, values)
          if (sql !== 'commit' || ++lost % 2 === 0) return answer
          await database.pool.query('select pg_terminate_backend($1)', [
            (client as never as { processID: number }).processID,
          ])
          throw new Error('Connection terminated unexpectedly')
        },
      }
    },
  }
  await prepared()
  const transactions = pgTransactions({ pool: losing })
  let duplicates = 0
  const once = exactlyOnce({
    transactions,
    inbox: pgInbox({ pool: database.pool }),
    onDuplicate: () => {
      duplicates += 1
    },
  })
  const transport = memoryTransport()
  await using bus = createBus({ service: 'orders', transport, logger: silentLogger })
  const attempts: number[] = []
  const subscription = await bus.subscribe(
    Created,
    once(async (order, delivery, tx) => {
      attempts.push(delivery.attempt)
      await tx.query('insert into effects values ($1)', [order.id])
    }),
    { group: 'a', concurrency: 1, retry: { attempts: 1 } },
  )
  await bus.publishMany(['1', '2', '3', '4', '5', '6'].map((id) => Created.of({ id })))
  await until(() => subscription.stats().acknowledged === 6)
  expect(await effects()).toEqual(['1', '2', '3', '4', '5', '6'])
  expect(attempts).toEqual([1, 1, 1, 1, 1, 1])
  expect(duplicates).toBeGreaterThan(0)
  expect(transport.deadLetters()).toEqual([])
})

test('a COMMIT that the server is busy with at the timeout has its one effect and no dead letter', async () => {
  const { pg, inbox } = await prepared()
  // A commit that waits for a lock in a deferred trigger stands for one that waits for a disk.
  await database.pool.query(`
    create function wait_for_lock() returns trigger language plpgsql as $$
      begin perform pg_advisory_xact_lock(1); return null; end $$;
    create constraint trigger slow_commit after insert on effects deferrable initially deferred
      for each row execute function wait_for_lock()`)
  const holder = await database.pool.connect()
  await holder.query('select pg_advisory_lock(1)')
  const once = exactlyOnce({ transactions: pg, inbox })
  const transport = memoryTransport()
  await using bus = createBus({ service: 'orders', transport, logger: silentLogger })
  const attempts: number[] = []
  const subscription = await bus.subscribe(
    Created,
    once(async (order, { attempt }, tx) => {
      attempts.push(attempt)
      await tx.query('insert into effects values ($1)', [order.id])
    }),
    { group: 'a', timeoutMs: 250, retry: { attempts: 1 } },
  )
  await bus.publish(Created, { id: '1' })
  await until(() => subscription.stats().timedOut === 1)
  await holder.query('select pg_advisory_unlock(1)')
  holder.release()
  await until(() => subscription.stats().acknowledged === 1)
  expect(attempts).toEqual([1])
  expect(await effects()).toEqual(['1'])
  expect(transport.deadLetters()).toEqual([])
})

test('one connection is enough for handlers, inbox, outgoing messages and relay', async () => {
  const pool = new pgClient.Pool({ connectionString: database.url, max: 1 })
  const pg = pgOutbox({ pool })
  const inbox = pgInbox({ pool })
  await Promise.all([pg.migrate(), inbox.migrate()])
  const once = exactlyOnce({ transactions: pg, inbox })
  const bus = createBus({ service: 'orders', transport: memoryTransport({ confirm: 'settled' }), outbox: pg })
  const paid: string[] = []
  await bus.subscribe(
    on(
      Created,
      once(async (order, _delivery, tx) => {
        await tx.query('insert into effects values ($1)', [order.id])
        return Paid.of({ id: order.id })
      }),
      { group: 'payment' },
    ),
    on(Paid, (each) => void paid.push(each.id), { group: 'shipping' }),
  )
  for (const id of ['1', '2', '3', '4']) await pg.run(async () => void (await bus.publish(Created, { id })))
  await until(async () => paid.length === 4 && (await pg.count()).waiting === 0)
  expect(await effects()).toEqual(['1', '2', '3', '4'])
  await bus.close()
  await pool.end()
})

test('a handler that always waits longer than its transaction may ends as a dead letter', async () => {
  await prepared()
  const transactions = pgTransactions({ pool: database.pool, idleInTransactionMs: 50 })
  const once = exactlyOnce({ transactions, inbox: pgInbox({ pool: database.pool }) })
  const transport = memoryTransport()
  await using bus = createBus({ service: 'orders', transport, logger: silentLogger })
  const attempts: number[] = []
  const handler = once<'order.created', { id: string }>(async (order, { attempt }, tx) => {
    attempts.push(attempt)
    const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
    await tx.query('insert into effects values ($1)', [order.id])
    const isGone = async () => {
      const { rowCount } = await database.pool.query('select from pg_stat_activity where pid = $1', [rows[0]!.pid])
      return rowCount === 0
    }
    await until(isGone)
  })
  await bus.subscribe(Created, handler, { group: 'a', retry: { attempts: 2, backoff: { minMs: 1, maxMs: 1 } } })
  await bus.publish(Created, { id: '1' })
  await until(() => transport.deadLetters().length === 1)
  // The word of the end may come late, and then nobody knows whether it was one: that burns no attempt.
  expect([...new Set(attempts)]).toEqual([1, 2])
  expect(await effects()).toEqual([])
})
