import { createBus, defineEvent, memoryTransport, on, onBatch, silentLogger, systemClock, type } from '@evt/core'
import { eventually, failureOf } from '@evt/core/conformance'
import { exactlyOnce } from '@evt/idempotency'
import { pgOutbox } from '@evt/outbox-pg'
import { type PgTransaction, pgTransactions } from '@evt/pg'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { pgInbox } from '../src/index.ts'

const Created = defineEvent('order.created', { schema: type<{ id: string }>() })
const Paid = defineEvent('order.paid', { schema: type<{ id: string }>() })
const ids = ['1', '2', '3', '4', '5', '6', '7', '8']

let database: FreshDatabase
beforeEach(async () => {
  database = await freshDatabase()
  await database.pool.query('create table effects (id text not null)')
})
afterEach(() => database.drop())
const effects = async () =>
  (await database.pool.query('select id from effects order by id')).rows.map((row) => row.id as string)
const insert = (tx: PgTransaction, id: string) => tx.query('insert into effects values ($1)', [id])

/** Handles one set of which message 6 fails whenever it runs; what else happens is up to `sabotage`, told of every run. */
async function handleSet(
  sabotage: (tx: PgTransaction, run: number, orders: readonly string[]) => Promise<unknown>,
  idleInTransactionMs?: number,
) {
  const inbox = pgInbox({ pool: database.pool })
  await inbox.migrate()
  const once = exactlyOnce({ transactions: pgTransactions({ pool: database.pool, idleInTransactionMs }), inbox })
  const transport = memoryTransport()
  await using bus = createBus({ service: 'orders', transport, logger: silentLogger })
  let runs = 0
  const handler = once.batch<'order.created', { id: string }>(async (orders, _deliveries, tx) => {
    runs += 1
    const own = runs
    for (const { id } of orders) await insert(tx, id)
    await sabotage(
      tx,
      own,
      orders.map(({ id }) => id),
    )
    if (orders.some(({ id }) => id === '6')) throw new Error('never')
  })
  const options = {
    group: 'a',
    ordered: 'none',
    batch: { maxItems: 8, lingerMs: 1_000 },
    retry: { attempts: 1 },
  } as const
  const [subscription] = await bus.subscribe(onBatch(Created, handler, options))
  await bus.publishMany(ids.map((id) => Created.of({ id }, { id })))
  const ended = () => subscription!.stats().acknowledged + transport.deadLetters().length
  await eventually(() => ended() >= ids.length, 'each message ends', 15_000)
  const { rows } = await database.pool.query('select message_key from evt_inbox order by message_key')
  return {
    acknowledged: subscription!.stats().acknowledged,
    deadLetters: transport.deadLetters().length,
    entered: rows.map(({ message_key }) => String(message_key).split('/')[1]),
  }
}

const raise = (state: string) => `do $$ begin raise exception using errcode = '${state}', message = 'sabotage'; end $$`
/** All of these come when a part of the set has been kept already. */
const afterOneWasKept = 3
const once =
  (sabotage: (tx: PgTransaction) => Promise<unknown>) => (tx: PgTransaction, run: number, _orders: readonly string[]) =>
    run === afterOneWasKept ? sabotage(tx) : Promise.resolve()

test.each([
  ['a deadlock', once((tx) => tx.query(raise('40P01')))],
  ['a serialization failure', once((tx) => tx.query(raise('40001')))],
  ['a deadlock that the handler hides', once((tx) => failureOf(tx.query(raise('40P01'))))],
  ['a failed statement that the handler hides', once((tx) => failureOf(tx.query(raise('22012'))))],
  [
    'a failed statement that nobody waits for',
    once(async (tx) => void tx.query(raise('22012')).catch(() => undefined)),
  ],
  ['a statement timeout', once((tx) => tx.query(raise('57014')))],
  ['a connection that ends', once((tx) => tx.query('select pg_terminate_backend(pg_backend_pid())'))],
  [
    'a connection that ends unseen by the handler',
    once((tx) => failureOf(tx.query('select pg_terminate_backend(pg_backend_pid())'))),
  ],
  [
    'a savepoint of the handler’s own that was returned to',
    once(async (tx) => {
      await tx.query('savepoint mine')
      await failureOf(tx.query(raise('22012')))
      await tx.query('rollback to mine')
    }),
  ],
])('whatever ends a part of a set, here %s, no message is lost and none counts twice', async (_what, sabotage) => {
  const { acknowledged, deadLetters, entered } = await handleSet(sabotage)
  expect(await effects()).toEqual(ids.filter((id) => id !== '6'))
  expect(entered).toEqual(ids.filter((id) => id !== '6'))
  expect([acknowledged, deadLetters]).toEqual([7, 1])
})

test('a constraint that is looked at only at COMMIT fails the message that breaks it, and no other', async () => {
  await database.pool.query(
    `create function refuse() returns trigger language plpgsql as $$
       begin if new.id = '3' then raise exception 'refused'; end if; return null; end $$;
     create constraint trigger late after insert on effects deferrable initially deferred
       for each row execute function refuse()`,
  )
  const { acknowledged, deadLetters } = await handleSet(async () => undefined)
  expect(await effects()).toEqual(['1', '2', '4', '5', '7', '8'])
  expect([acknowledged, deadLetters]).toEqual([6, 2])
})

test('a set whose transaction the server ended for waiting too long is handled all the same', async () => {
  const { acknowledged, deadLetters } = await handleSet(async (_tx, run) => {
    if (run !== afterOneWasKept) return
    const { rows } = await database.pool.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`,
    )
    const isGone = async () => {
      const found = await database.pool.query('select from pg_stat_activity where pid = $1', [rows[0]!.pid])
      return found.rowCount === 0
    }
    await eventually(isGone, 'the server ends the transaction')
  }, 100)
  expect(await effects()).toEqual(ids.filter((id) => id !== '6'))
  expect([acknowledged, deadLetters]).toEqual([7, 1])
})

test.each([
  ['takes longer than a second', (monotonicMs: number) => monotonicMs * 1_000, 8],
  ['falls into more parts than a connection keeps at hand', (monotonicMs: number) => monotonicMs, 80],
])('a set that %s commits what has succeeded and goes on, each message to its own end', async (_what, faster, size) => {
  const inbox = pgInbox({ pool: database.pool })
  await inbox.migrate()
  const { run } = pgTransactions({ pool: database.pool })
  let runs = 0
  const counted: typeof run = (work) => {
    runs += 1
    return run(work)
  }
  const clock = { ...systemClock, monotonicMs: () => faster(systemClock.monotonicMs()) }
  const handleOnce = exactlyOnce<PgTransaction>({ transactions: { run: counted }, inbox, clock })
  const transport = memoryTransport()
  await using bus = createBus({ service: 'orders', transport, logger: silentLogger })
  const isFailing = (id: string) => Number(id) % 2 === 0
  const handler = handleOnce.batch<'order.created', { id: string }>(async (orders, _deliveries, tx) => {
    for (const { id } of orders) await insert(tx, id)
    if (orders.some(({ id }) => isFailing(id))) throw new Error('never')
  })
  const batch = { maxItems: size, lingerMs: 1_000 }
  const options = { group: 'a', ordered: 'none', batch, retry: { attempts: 1 } } as const
  const [subscription] = await bus.subscribe(onBatch(Created, handler, options))
  const all = Array.from({ length: size }, (_value, index) => String(index + 1))
  await bus.publishMany(all.map((id) => Created.of({ id }, { id })))
  const ended = () => subscription!.stats().acknowledged + transport.deadLetters().length
  await eventually(() => ended() === size, 'each message ends', 15_000)
  expect([subscription!.stats().acknowledged, transport.deadLetters().length]).toEqual([size / 2, size / 2])
  expect((await effects()).sort()).toEqual(all.filter((id) => !isFailing(id)).sort())
  expect(runs).toBeGreaterThan(1)
  expect(runs).toBeLessThanOrEqual(size)
})

test('where nothing has failed for long a set begins without a savepoint, and is divided all the same where it fails', async () => {
  const inbox = pgInbox({ pool: database.pool })
  await inbox.migrate()
  const { run } = pgTransactions({ pool: database.pool })
  let begun = 0
  let savepoints = 0
  const counted: typeof run = (work) => {
    begun += 1
    return run(work)
  }
  const watching = {
    ...inbox,
    savepoints: {
      ...inbox.savepoints!,
      attempt: ((tx, work) => {
        savepoints += 1
        return inbox.savepoints!.attempt(tx, work)
      }) as NonNullable<typeof inbox.savepoints>['attempt'],
    },
  }
  const handleOnce = exactlyOnce<PgTransaction>({ transactions: { run: counted }, inbox: watching })
  const transport = memoryTransport()
  await using bus = createBus({ service: 'orders', transport, logger: silentLogger })
  const handler = handleOnce.batch<'order.created', { id: string }>(async (orders, _deliveries, tx) => {
    for (const { id } of orders) await insert(tx, id)
    if (orders.some(({ id }) => id === 'bad')) throw new Error('never')
  })
  const batch = { maxItems: 4, lingerMs: 20 }
  const options = { group: 'a', ordered: 'none', concurrency: 1, batch, retry: { attempts: 1 } } as const
  const [subscription] = await bus.subscribe(onBatch(Created, handler, options))
  const handleSets = async (sets: number, bad?: string) => {
    const before = subscription!.stats().acknowledged + transport.deadLetters().length
    const all = Array.from({ length: sets * 4 }, (_value, index) => (index === 2 && bad) || `${before + index}`)
    await bus.publishMany(all.map((id) => Created.of({ id })))
    const ended = () => subscription!.stats().acknowledged + transport.deadLetters().length - before
    await eventually(() => ended() === sets * 4, 'each message ends', 15_000)
  }
  await handleSets(120)
  expect([begun, savepoints]).toEqual([120, 100])
  await handleSets(1, 'bad')
  // One more transaction, in which the halves are tried: two, the one that fails, the one behind it.
  expect([begun, savepoints]).toEqual([122, 103])
  await handleSets(1, 'bad')
  expect(begun).toBe(123)
  expect(transport.deadLetters().length).toBe(2)
  expect((await effects()).length).toBe(120 * 4 + 6)
})

test('what a part published that was taken back does not go out, and what the others published does once', async () => {
  const pg = pgOutbox({ pool: database.pool })
  const inbox = pgInbox({ pool: database.pool })
  await Promise.all([pg.migrate(), inbox.migrate()])
  const handleOnce = exactlyOnce({ transactions: pg, inbox })
  const transport = memoryTransport()
  await using bus = createBus({ service: 'orders', transport, outbox: pg, logger: silentLogger })
  const paid: string[] = []
  const handler = handleOnce.batch<'order.created', { id: string }>(async (orders, deliveries, tx) => {
    for (const [index, { id }] of orders.entries()) {
      await insert(tx, id)
      // By the ambient transaction, by the delivery, and by hand.
      if (index % 3 === 0) await bus.publish(Paid, { id })
      else if (index % 3 === 1) await deliveries[index]!.publish(Paid, { id })
      else await bus.publish(Paid, { id }, { transaction: tx })
    }
    if (orders.some(({ id }) => id === '6')) throw new Error('never')
  })
  const options = {
    group: 'a',
    ordered: 'none',
    batch: { maxItems: 8, lingerMs: 1_000 },
    retry: { attempts: 1 },
  } as const
  const [subscription] = await bus.subscribe(
    onBatch(Created, handler, options),
    on(Paid, ({ id }) => void paid.push(id), { group: 'shipping' }),
  )
  await pg.run(async () => void (await bus.publishMany(ids.map((id) => Created.of({ id }, { id })))))
  await eventually(() => subscription!.stats().acknowledged === 7 && paid.length >= 7, 'they go out', 15_000)
  await eventually(async () => (await pg.count()).waiting === 0, 'nothing waits any more')
  expect(paid.sort()).toEqual(ids.filter((id) => id !== '6'))
})
