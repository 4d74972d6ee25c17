import { type Clock, systemClock, uuidv7 } from '@evt/core'
import type { Position } from '@evt/outbox'
import { postgres, type RunningServer } from '@evt/servers'
import pg from 'pg'
import { pgOutbox, pgOutboxStore } from '../src/index.ts'

let server: RunningServer
let pool: pg.Pool
let tables = 0
let table = ''
let nowMs = 0
const clock: Clock = { ...systemClock, monotonicMs: () => nowMs }
const opened: pg.PoolClient[] = []
const begin = async () => {
  const client = await pool.connect()
  opened.push(client)
  client.on('error', () => undefined)
  await client.query('begin')
  return client
}
beforeAll(async () => {
  // Servers refuse prepared transactions by default.
  server = await postgres.start({ settings: { max_prepared_transactions: '5' } })
  pool = new pg.Pool({ connectionString: server.url })
  pool.on('error', () => undefined)
})
beforeEach(() => {
  table = `outbox_${++tables}`
})
afterEach(() => {
  for (const client of opened.splice(0)) client.release(true)
})
afterAll(async () => {
  await pool.end()
  await server.stop()
})

async function createStore() {
  const outbox = pgOutbox({ pool, table, relay: false })
  await outbox.migrate()
  const begins: string[] = []
  const store = pgOutboxStore({ pool: recordingBegins(begins), table, clock })
  const write = async (texts: readonly string[]) =>
    outbox.store(
      texts.map((text) => {
        const id = uuidv7(Date.now())
        return { transport: 'main', id, topic: 't', key: undefined, headers: { text }, payload: Buffer.from(text) }
      }),
    )
  const read = async (upTo: Position) => {
    const range = { transport: { only: 'main' }, after: undefined, upTo, skipKeys: [], limit: 10_000, maxBytes: 1e9 }
    return (await store.read(range)).map((row) => ({ text: row.message!.headers.text!, position: row.position }))
  }
  /** A burst: what waits is read and deleted, as if it were published. */
  const burst = async () => {
    const bound = await store.bound()
    const rows = bound === null ? [] : await read(bound)
    if (rows.length > 0) await store.delete(rows.map(({ position }) => position))
    return rows.map(({ text }) => text)
  }
  /** Long enough for a look at who holds locks, and with something to look at. */
  const look = async () => {
    nowMs += 1_000
    await write(['looked at'])
    return burst()
  }
  return { store, write, read, burst, look, begins }
}

/** Notes from where each burst was read. */
function recordingBegins(begins: string[]): pg.Pool {
  return new Proxy(pool, {
    get(target, name) {
      if (name !== 'connect') return Reflect.get(target, name, target)
      return async () => {
        const client = await target.connect()
        const query = client.query.bind(client) as (sql: string, values: readonly string[]) => unknown
        return new Proxy(client, {
          get(of, field) {
            if (field !== 'query') {
              const value = Reflect.get(of, field, of)
              return typeof value === 'function' ? value.bind(of) : value
            }
            return (sql: string, values: readonly string[]) => {
              if (sql.includes('order by fetched.id')) begins.push(values[0]!)
              return query(sql, values)
            }
          },
        })
      }
    },
  })
}

const insert = () => `insert into ${table} (transport, topic, message_id, headers, payload)
  values ('main', 't', 'id', '{"text":"late"}', '')`

test('what was deleted while a transaction stays open is not passed again with every burst', async () => {
  const { write, burst, look, begins } = await createStore()
  const holder = await begin()
  await holder.query('select pg_current_xact_id()')
  await write(Array.from({ length: 100 }, (_none, index) => `${index}`))
  expect(await burst()).toHaveLength(100)
  for (let looks = 0; looks < 3; looks += 1) await look()
  await write(['one more'])
  expect(await burst()).toEqual(['one more'])
  expect(Number(begins.at(-1))).toBeGreaterThan(100)
})

test('a row of a lower number that is committed late is read, however often others were meanwhile', async () => {
  const { burst, look } = await createStore()
  const late = await begin()
  await late.query(insert())
  for (let looks = 0; looks < 5; looks += 1) expect(await look()).toEqual(['looked at'])
  await late.query('commit')
  expect(await burst()).toEqual(['late'])
})

test('a row of a lower number that is prepared between two looks, survives a crash and is committed late is read', async () => {
  const { burst, look } = await createStore()
  const late = await begin()
  await late.query(insert())
  expect(await look()).toEqual(['looked at'])
  await late.query(`prepare transaction 'late'`)
  await server.restart({ kill: true })
  for (let looks = 0; looks < 3; looks += 1) expect(await look()).toEqual(['looked at'])
  await pool.query(`commit prepared 'late'`)
  expect(await burst()).toEqual(['late'])
})

test('a row that waits is read with every burst, whatever comes and goes behind it', async () => {
  const { store, write, read } = await createStore()
  await write(['waits'])
  for (let looks = 0; looks < 4; looks += 1) {
    nowMs += 1_000
    await write(['passes'])
    const rows = await read((await store.bound())!)
    expect(rows.map(({ text }) => text)).toEqual(['waits', 'passes'])
    await store.delete([rows[1]!.position])
  }
})

test('what an operator puts back below is read within ten seconds', async () => {
  const { burst, look } = await createStore()
  for (let looks = 0; looks < 4; looks += 1) await look()
  await pool.query(
    `insert into ${table} (id, transport, topic, message_id, headers, payload) overriding system value
     values (1, 'main', 't', 'id', '{"text":"put back"}', '')`,
  )
  expect(await burst()).toEqual([])
  nowMs += 10_000
  expect(await burst()).toEqual(['put back'])
})
