import {
  createBus,
  defineEvent,
  isEvtError,
  memoryTransport,
  type PublishFailure,
  type RelayTarget,
  silentLogger,
  systemClock,
  type,
  uuidv7,
} from '@evt/core'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { pgOutbox } from '../src/index.ts'

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
          statements.push(sql.trim().split(/\s/)[0]!)
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
  expect(statements).toEqual(['begin', 'select', 'insert', 'commit'])
  const published: string[] = []
  await pg.start(
    recordingTarget(async (_transport, batch) => {
      for (const each of batch) published.push(each.headers.text!)
      return []
    }),
  )
  expect(await pg.relay.drain({ budgetMs: 5_000 })).toEqual({ published: 5, remaining: 0 })
  expect(published).toEqual([strange, strange, strange, strange, strange])
})

test('four relays and eight writers lose nothing and keep the first occurrences of each key in order', async () => {
  const writers = pgOutbox({ pool: database.pool, relay: false })
  await writers.migrate()
  const first = new Map<string, number[]>()
  const seen = new Set<string>()
  const target = recordingTarget(async (_transport, batch) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
    for (const each of batch) {
      if (seen.has(each.id)) continue
      seen.add(each.id)
      const list = first.get(each.key!) ?? []
      list.push(Number(Buffer.from(each.payload).toString()))
      first.set(each.key!, list)
    }
    return []
  })
  const relays = [1, 2, 3, 4].map(() =>
    pgOutbox({ pool: database.pool, relay: { batch: 20, pollMs: 5, leaseMs: 200 } }),
  )
  for (const relay of relays) await relay.start(target)
  await Promise.all(
    [0, 1, 2, 3, 4, 5, 6, 7].map(async (writer) => {
      for (let n = 0; n < 60; n += 1)
        await writers.run((tx) => writers.append(tx, [message(`key${writer}`, String(n))]))
    }),
  )
  await until(async () => seen.size === 480 && (await writers.count()).waiting === 0)
  for (const relay of relays) await relay.stop()
  for (const list of first.values()) expect(list).toEqual([...list].sort((left, right) => left - right))
})

test('a key stops at its first failure, other keys go on, and a refused row is put aside', async () => {
  const pg = pgOutbox({ pool: database.pool, relay: { pollMs: 10 } })
  await pg.migrate()
  let down = true
  const published: string[] = []
  await pg.run((tx) =>
    pg.append(tx, [message('a', 'a1'), message('a', 'a2'), message('b', 'b1'), message('c', 'too large')]),
  )
  await pg.start(
    recordingTarget(async (_transport, batch) => {
      const failures = batch.flatMap((each, index): PublishFailure[] => {
        if (each.headers.text === 'too large')
          return [{ index, outcome: 'refused' as const, error: new Error('too large') }]
        if (down && each.key === 'a') return [{ index, outcome: 'unavailable' as const, error: new Error('down') }]
        published.push(each.headers.text!)
        return []
      })
      return failures
    }),
  )
  await until(() => published.includes('b1'))
  expect(published).not.toContain('a2')
  expect((await pg.health()).status).toBe('degraded')
  down = false
  await until(async () => (await pg.count()).waiting === 0)
  expect(published.filter((text) => text.startsWith('a'))).toEqual(['a1', 'a2'])
  expect(await pg.count()).toEqual({ waiting: 0, parked: 1 })
  await pg.stop()
})

test('a closed, a foreign and an absent transaction are typed errors, and nothing is written', async () => {
  const pg = pgOutbox({ pool: database.pool, relay: false })
  await pg.migrate()
  let closed: unknown
  await pg.run(async (tx) => {
    closed = tx
  })
  expect(isEvtError(await failure(pg.append(closed, [message('a', 'x')])), 'EVT_TX_CLOSED')).toBe(true)
  const client = await database.pool.connect()
  expect(isEvtError(await failure(pg.append(client, [message('a', 'x')])), 'EVT_OUTBOX_NO_TRANSACTION')).toBe(true)
  const other = await freshDatabase()
  const stranger = await other.pool.connect()
  await stranger.query('begin')
  expect(isEvtError(await failure(pg.append(stranger, [message('a', 'x')])), 'EVT_TRANSACTION_FOREIGN')).toBe(true)
  await stranger.query('rollback')
  stranger.release()
  await other.drop()
  await client.query('begin')
  await pg.append(client, [message('a', 'adopted')])
  await client.query('commit')
  client.release()
  expect(await pg.count()).toEqual({ waiting: 1, parked: 0 })
})

test('a connection lost during COMMIT is an unknown outcome', async () => {
  const pg = pgOutbox({ pool: database.pool, relay: false })
  await pg.migrate()
  const error = await failure(
    pg.run(async (tx) => {
      const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
      await database.pool.query(
        'create or replace function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(10); return null; end $$',
      )
      await database.pool.query('create table t (id int)')
      await database.pool.query(
        'create constraint trigger slow after insert on t deferrable initially deferred for each row execute function slow()',
      )
      await tx.query('insert into t values (1)')
      void until(async () => {
        const active = await database.pool.query(
          `select 1 from pg_stat_activity where pid = $1 and query = 'commit' and state = 'active'`,
          [rows[0]!.pid],
        )
        if (active.rows.length === 1) await database.pool.query('select pg_terminate_backend($1)', [rows[0]!.pid])
        return active.rows.length === 1
      })
    }),
  )
  expect(isEvtError(error, 'EVT_TX_OUTCOME_UNKNOWN')).toBe(true)
})

test('a missing table and an unreachable server are errors that name them', async () => {
  const pg = pgOutbox({ pool: database.pool, relay: false })
  const missing = await failure(pg.run((tx) => pg.append(tx, [message('a', 'x')])))
  expect(isEvtError(missing, 'EVT_PG_RELATION_MISSING')).toBe(true)
  expect((missing as Error).message).toContain('evt_outbox')
  expect(() => pgOutbox({ pool: database.pool, table: 'x; drop table y' })).toThrow(/table/)
})
