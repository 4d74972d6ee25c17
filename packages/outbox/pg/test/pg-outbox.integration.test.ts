import {
  createBus,
  defineEvent,
  isEvtError,
  memoryTransport,
  type RelayTarget,
  silentLogger,
  systemClock,
  type,
  uuidv7,
} from '@evt/core'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import pgClient from 'pg'
import { pgOutbox, pgOutboxStore } from '../src/index.ts'

const Created = defineEvent('order.created', { schema: type<{ id: string; n: number }>(), key: (order) => order.id })
let database: FreshDatabase
beforeEach(async () => {
  database = await freshDatabase()
})
afterEach(() => database.drop())

async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  const endMs = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error('the condition did not come true')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
/** A transport that remembers what it was given. */
function recordingTarget(publish: RelayTarget['publish']): RelayTarget {
  return {
    clock: systemClock,
    logger: silentLogger,
    transports: ['memory'],
    supports: () => ({
      durability: 'broker',
      publishOrder: 'prefix',
      confirms: 'accepted',
      maxMessageBytes: 1_000_000,
    }),
    publish,
  }
}
function message(key: string, text: string) {
  const id = uuidv7(Date.now())
  return { transport: 'memory', id, topic: 't', key, headers: { 'ce-id': id, text }, payload: Buffer.from(text) }
}
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

test('what commits is handled and what rolls back is never published', async () => {
  const pg = pgOutbox({ pool: database.pool })
  await Promise.all([pg.migrate(), pg.migrate(), pg.migrate()])
  await using bus = createBus({ service: 'orders', transport: memoryTransport({ confirm: 'settled' }), outbox: pg })
  const seen: number[] = []
  await bus.subscribe(Created, (order) => void seen.push(order.n), { group: 'a' })
  await failure(
    pg.run(async () => {
      await bus.publish(Created, { id: 'x', n: 0 })
      throw new Error('no')
    }),
  )
  for (const n of [1, 2, 3]) {
    await pg.run(async (tx) => {
      await tx.query('select 1')
      expect((await bus.publish(Created, { id: 'x', n })).via).toBe('outbox')
    })
  }
  await until(async () => seen.length === 3 && (await pg.count()).waiting === 0)
  expect(seen).toEqual([1, 2, 3])
})

test('five events of a transaction cost one statement more, right before COMMIT, and any text survives', async () => {
  const statements: string[] = []
  const counting = {
    async connect() {
      const client = await database.pool.connect()
      return {
        release: (error?: Error | boolean) => client.release(error),
        query(sql: string, values?: unknown[]) {
          statements.push(...sql.split('; ').map((each) => each.trim().split(/\s/)[0]!), 'answer')
          return client.query(sql, values)
        },
      }
    },
  }
  const pg = pgOutbox({ pool: counting, relay: false })
  await pg.migrate()
  await pg.run((tx) => tx.query('select 1'))
  statements.length = 0
  const strange = 'NUL \0, half a pair \ud800, quote " \' and \\ {braces},'
  await pg.run(async (tx) => {
    for (const n of [1, 2, 3, 4, 5]) await pg.append(tx, [message(`k${n}`, strange)])
    await tx.query('select 1')
  })
  expect(statements.join(' ')).toBe('begin set select answer insert answer commit answer')
  statements.length = 0
  await pg.run(async (tx) => {
    for (const n of [6, 7]) await pg.append(tx, [message(`k${n}`, 'plain')])
    await tx.query('select $1::text', ['x'])
  })
  // Plain text needs no parameters, and so no round trip besides that of COMMIT.
  expect(statements.join(' ')).toBe('begin set answer select answer insert commit answer')
  const published: string[] = []
  await pg.start(
    recordingTarget(async (_transport, batch) => {
      for (const each of batch) published.push(each.headers.text!)
      return []
    }),
  )
  expect(await pg.relay.drain({ budgetMs: 5_000 })).toEqual({ published: 7, remaining: 0 })
  expect(published).toEqual([...Array(5).fill(strange), 'plain', 'plain'])
})

test('a client after BEGIN is written through at the call, and one outside a transaction is refused', async () => {
  const pg = pgOutbox({ pool: database.pool, relay: false })
  await pg.migrate()
  const client = await database.pool.connect()
  expect(isEvtError(await failure(pg.append(client, [message('a', 'x')])), 'EVT_OUTBOX_NO_TRANSACTION')).toBe(true)
  await client.query('begin')
  await pg.append(client, [message('a', 'adopted')])
  await client.query('commit')
  client.release()
  expect(await pg.count()).toEqual({ waiting: 1, parked: 0 })
})

test('a missing table is an error that names it, and illegal options are refused by name', async () => {
  const pg = pgOutbox({ pool: database.pool, relay: false })
  const missing = await failure(pg.run((tx) => pg.append(tx, [message('a', 'x')])))
  expect(isEvtError(missing, 'EVT_PG_RELATION_MISSING')).toBe(true)
  expect((missing as Error).message).toContain('evt_outbox')
  const { pool } = database
  const illegal: readonly [unknown, RegExp][] = [
    [{ table: 'x; drop table y' }, /table/],
    [{ table: 'x'.repeat(60) }, /table/],
    [{ schema: "a'" }, /schema/],
    [{ relay: { bath: 1 } }, /bath/],
    [{ relay: { batch: 0 } }, /batch/],
    [{ relay: { onRefused: 'drop' } }, /onRefused/],
    [{ listen: { pool: {} } }, /listen/],
    [{ tables: 'x' }, /tables/],
  ]
  for (const [options, named] of illegal) {
    expect(() => pgOutbox({ pool, ...(options as object) })).toThrow(named)
  }
})

test('a message that comes while its transaction ends is committed with it or refused, whenever it comes', async () => {
  const pg = pgOutbox({ pool: database.pool, relay: false })
  await pg.migrate()
  await pg.run((tx) => tx.query('select 1'))
  let accepted = 0
  for (let turns = 0; turns < 40; turns += 1) {
    let late: Promise<unknown> = Promise.resolve()
    await pg.run(async (tx) => {
      await pg.append(tx, [message('k', 'in time')])
      accepted += 1
      // Nobody awaits it, and it comes a little later each time.
      late = failure(
        (async () => {
          for (let turn = 0; turn < turns; turn += 1) await undefined
          await pg.append(tx, [message('k', 'late')])
          accepted += 1
        })(),
      )
    })
    const error = await late
    if (error !== undefined) expect(isEvtError(error, 'EVT_TX_CLOSED')).toBe(true)
  }
  expect(accepted).toBeGreaterThan(40)
  expect((await pg.count()).waiting).toBe(accepted)
})

test.each([
  ['reads only, as after a failover', '25006'],
  ['has no disk left', '53100'],
])('a server that %s burns no attempt of a message whose handler answers through the outbox', async (_what, state) => {
  const pg = pgOutbox({ pool: database.pool, relay: false })
  await pg.migrate()
  await database.pool.query(`create function away() returns trigger language plpgsql as
    $$ begin raise exception 'the server is not well' using errcode = '${state}'; end $$`)
  await database.pool.query('create trigger away before insert on evt_outbox execute function away()')
  const transport = memoryTransport()
  await using front = createBus({ service: 'front', transport, logger: silentLogger })
  await using bus = createBus({
    service: 'orders',
    transport,
    outbox: pg,
    outsideTransaction: 'store',
    logger: silentLogger,
    onError() {},
  })
  const attempts: number[] = []
  const answer = (
    { id, n }: { readonly id: string; readonly n: number },
    { attempt }: { readonly attempt: number },
  ) => {
    attempts.push(attempt)
    return Created.of({ id, n: n + 1 })
  }
  const retry = { attempts: 3, backoff: { minMs: 1, maxMs: 1 } }
  await bus.subscribe(Created, answer, { group: 'a', holdMs: 10_000, retry })
  await front.publish(Created, { id: 'x', n: 1 })
  await until(() => attempts.length >= 3)
  expect(new Set(attempts)).toEqual(new Set([1]))
})

test('a connection to a server that has become a standby is not used again, in a transaction or outside', async () => {
  const pool = new pgClient.Pool({ connectionString: database.url, max: 1 })
  const pg = pgOutbox({ pool, relay: false, listen: false })
  await pg.migrate()
  const demote = () => pool.query('set default_transaction_read_only = on')
  await demote()
  expect(isEvtError(await failure(pg.store([message('k', 'plain')])), 'EVT_PG_REFUSED')).toBe(true)
  await pg.store([message('k', 'plain')])
  await demote()
  expect(isEvtError(await failure(pg.store([message('k', "it's no literal")])), 'EVT_PG_REFUSED')).toBe(true)
  await pg.store([message('k', "it's no literal")])
  await demote()
  const store = pgOutboxStore({ pool })
  expect(isEvtError(await failure(store.lead('me', 1_000)), 'EVT_PG_REFUSED')).toBe(true)
  expect(await store.lead('me', 1_000)).toMatchObject({ owner: 'me' })
  await pool.end()
})

test('foreign transactions that hold every connection of a pool nobody has asked yet end, and later ones succeed', async () => {
  await pgOutbox({ pool: database.pool, relay: false }).migrate()
  const pool = new pgClient.Pool({ connectionString: database.url, max: 2 })
  const pg = pgOutbox({ pool, relay: false })
  const publish = async () => {
    const client = await pool.connect()
    try {
      await client.query('begin')
      await pg.append(client, [message('k', 'text')])
      await client.query('commit')
    } catch (error) {
      await client.query('rollback')
      throw error
    } finally {
      client.release()
    }
  }
  const first = await Promise.all([failure(publish()), failure(publish())])
  const refused = first.filter((error) => error !== undefined)
  expect(refused.length).toBeGreaterThan(0)
  for (const error of refused) expect(error).toMatchObject({ code: 'EVT_PG_UNAVAILABLE', retryable: true })
  await Promise.all([publish(), publish()])
  expect((await pg.count()).waiting).toBe(4 - refused.length)
  await pool.end()
})

test('what was published after a savepoint is taken back with it, and nothing else', async () => {
  const pg = pgOutbox({ pool: database.pool, relay: false })
  await pg.migrate()
  const texts = async () => {
    const { rows } = await database.pool.query(
      "select convert_from(payload, 'UTF8') as text from evt_outbox order by id",
    )
    return rows.map((row) => row.text as string)
  }
  await pg.run(async (tx) => {
    await pg.append(tx, [message('k', 'before')])
    await tx.query('savepoint first')
    await pg.append(tx, [message('k', 'in first')])
    await tx.query('SAVEPOINT "Second"')
    await pg.append(tx, [message('k', 'in second')])
    await tx.query('rollback to savepoint "Second"')
    await pg.append(tx, [message('k', 'after second')])
    await tx.query('release savepoint First')
  })
  expect(await texts()).toEqual(['before', 'in first', 'after second'])
  await pg.run(async (tx) => {
    await tx.query('savepoint third')
    await pg.append(tx, [message('k', 'lost')])
    await tx.query('ROLLBACK TO third')
  })
  expect(await texts()).toHaveLength(3)
})

test('savepoints that were released or passed over are gone, and names may hold anything PostgreSQL lets them', async () => {
  const pg = pgOutbox({ pool: database.pool, relay: false })
  await pg.migrate()
  const kept = async (
    work: (say: (text: string) => Promise<void>, sql: (sql: string) => Promise<unknown>) => unknown,
  ) => {
    await database.pool.query('truncate evt_outbox')
    await pg.run(async (tx) => {
      await work(
        (text) => pg.append(tx, [message('k', text)]),
        (sql) => tx.query(sql),
      )
    })
    const { rows } = await database.pool.query(
      "select convert_from(payload, 'UTF8') as text from evt_outbox order by id",
    )
    return rows.map((row) => row.text as string)
  }
  const released = await kept(async (say, sql) => {
    await sql('savepoint one')
    await say('lost')
    await sql('savepoint one')
    await sql('release savepoint one')
    await sql('rollback to one')
    await say('kept')
  })
  expect(released).toEqual(['kept'])
  const passedOver = await kept(async (say, sql) => {
    await sql('savepoint one')
    await say('lost')
    await sql('savepoint two')
    await sql('savepoint one')
    await sql('rollback to two')
    await sql('rollback to one')
  })
  expect(passedOver).toEqual([])
  const named = await kept(async (say, sql) => {
    await sql('savepoint sp$1')
    await say('lost')
    await sql('savepoint sp$2')
    await sql('ROLLBACK WORK TO SAVEPOINT SP$1')
    await sql('savepoint "a""b"')
    await say('lost too')
    await sql('savepoint "a""c"')
    await sql('rollback to "a""b"')
    await sql('/* by a tracer */ savepoint größe -- here')
    await say('lost as well')
    await sql('-- by hand\n rollback transaction to größe')
    await say('kept')
  })
  expect(named).toEqual(['kept'])
})
