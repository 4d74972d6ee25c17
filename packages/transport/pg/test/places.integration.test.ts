import { createBus, defineEvent, isEvtError, silentLogger, type } from '@evt/core'
import pg from 'pg'
import { pgTransport } from '../src/index.ts'
import { consume, drain, failure, message, topic, until } from './harness.ts'
import { freshTransport } from './rig.ts'

const place = freshTransport()
const range = (count: number) => Array.from({ length: count }, (_value, index) => index)

test('two processes that trim while two groups read remove everything acknowledged and nothing else', async () => {
  const groups = await Promise.all(['fast', 'slow'].map((name) => consume(place.transport, name)))
  let done = false
  let removed = 0
  const trimming = range(2).map(async () => {
    const other = pgTransport({ pool: place.database.pool })
    while (!done) {
      const report = await other.trim(topic)
      removed += report.removed
    }
    await other.close()
  })
  const publishing = (async () => {
    for (const round of range(40)) await place.transport.publish(range(50).map((n) => message(`${round}.${n}`)))
  })()
  const read = await Promise.all(groups.map((group) => drain(group, 2_000, 30_000)))
  await publishing
  done = true
  await Promise.all(trimming)
  for (const texts of read) expect(new Set(texts).size).toBe(2_000)
  const last = await place.transport.trim(topic)
  expect(removed + last.removed).toBe(2_000)
})

test('trimming names the group that holds back the oldest message, and keeps messages of a topic without a group', async () => {
  await place.transport.publish([message('one')])
  expect(await place.transport.trim(topic)).toEqual({ removed: 0, heldBackBy: null })
  const fast = await consume(place.transport, 'fast')
  await consume(place.transport, 'slow')
  await place.transport.publish([message('two')])
  await drain(fast, 2)
  expect(await place.transport.trim(topic)).toEqual({ removed: 0, heldBackBy: 'test/slow' })
})

test('trimming goes on in steps of a bounded size', async () => {
  const consumer = await consume(place.transport, 'a')
  await place.transport.publish(range(250).map((n) => message(String(n))))
  expect((await place.transport.inspect(topic))[0]).toMatchObject({ lag: 250, oldestMs: expect.any(Number) })
  await drain(consumer, 250)
  const sql = `select trimmed.* from evt_transport_topic as topic, evt_transport_trim(topic.id, 0, 60000, 100) as trimmed`
  const steps: unknown[] = []
  for (const _step of range(4)) steps.push((await place.database.pool.query(sql)).rows[0].removed)
  expect(steps).toEqual([100, 100, 50, 0])
})

test('acknowledged messages stay for as long as they are retained, for groups to come', async () => {
  const retaining = pgTransport({ pool: place.database.pool, retainMs: 60_000 })
  await drain(await consume(retaining, 'a'), 0)
  await retaining.publish([message('one')])
  await drain(await consume(retaining, 'a'), 1)
  expect((await retaining.trim(topic)).removed).toBe(0)
  expect(await drain(await consume(retaining, 'b'), 1)).toEqual(['one'])
  expect((await place.transport.trim(topic)).removed).toBe(1)
})

test('another process is woken by NOTIFY, long before it would poll', async () => {
  const reader = pgTransport({ pool: place.database.pool, listen: place.database.pool, pollMs: 60_000 })
  const writer = pgTransport({ pool: place.database.pool, listen: place.database.pool, pollMs: 60_000 })
  await reader.open()
  await writer.open()
  const consumer = await consume(reader, 'a')
  for (const text of ['one', 'two', 'three']) {
    const reading = drain(consumer, 1)
    await writer.publish([message(text)])
    expect(await reading).toEqual([text])
  }
  await writer.run((tx) => writer.append(tx, [{ ...message('in a transaction'), transport: 'pg' }]))
  expect(await drain(consumer, 1)).toEqual(['in a transaction'])
  await reader.close()
  await writer.close()
})

test('polling alone finds what other processes publish, and one poll serves all that wait', async () => {
  const writer = pgTransport({ pool: place.database.pool })
  const consumers = await Promise.all(range(5).map((n) => consume(place.transport, `group${n}`)))
  const reading = consumers.map((consumer) => drain(consumer, 1))
  await writer.publish([message('one')])
  for (const texts of await Promise.all(reading)) expect(texts).toEqual(['one'])
  await writer.close()
})

/** As behind a pooler, each statement goes to another session than the one before. */
async function pooler() {
  let used = 0
  const clients = await Promise.all(range(3).map(() => place.database.pool.connect()))
  const query = (sql: string, values?: unknown[]) => clients[used++ % 3]!.query(sql, values)
  const end = () => {
    for (const client of clients) client.release()
  }
  return { pool: { connect: async () => ({ query, release() {} }) }, end }
}

test('statements find their way through a pooler that gives each to another session', async () => {
  const { pool, end } = await pooler()
  const pooled = pgTransport({ pool, pollMs: 20 })
  await pooled.open()
  const consumer = await consume(pooled, 'a')
  await pooled.publish(range(30).map((n) => message(String(n))))
  expect((await drain(consumer, 30)).length).toBe(30)
  await consumer.close()
  await pooled.close()
  end()
})

test('who reads through a pooler listens on an address of its own, and is woken long before it would poll', async () => {
  const { pool, end } = await pooler()
  const reader = pgTransport({ pool, listen: place.database.pool, pollMs: 60_000 })
  const writer = pgTransport({ pool: place.database.pool, listen: place.database.pool, pollMs: 60_000 })
  await reader.open()
  await writer.open()
  const consumer = await consume(reader, 'a')
  for (const text of ['one', 'two']) {
    const reading = drain(consumer, 1)
    await writer.publish([message(text)])
    expect(await reading).toEqual([text])
  }
  await reader.close()
  await writer.close()
  end()
})

test('long and odd names, keys, headers and errors come back as they were', async () => {
  const odd = { name: `evt.${'n'.repeat(180)}"'\\{}; drop --\0\ud800`, partitions: 3 }
  const strange = 'NUL \0, half a pair \ud800, quote " \' and \\ {braces}, __proto__'
  await place.transport.declare(odd)
  const consumer = await consume(place.transport, `${'g'.repeat(150)}"';\\`, { topic: odd.name })
  const sent = { ...message('x', strange, odd.name), headers: { 'ce-id': strange, ['__proto__']: 'own' } }
  await place.transport.publish([sent])
  const [read] = await consumer.read({ messages: 1, bytes: 1_000 }, AbortSignal.timeout(5_000))
  expect(read).toMatchObject({ key: strange })
  expect(Object.entries(read!.headers)).toEqual(Object.entries(sent.headers))
  await consumer.settle([{ delivery: read!, as: 'deadLetter', reason: strange, history: [] }])
  const [letter] = await place.transport.readDeadLetters(odd.name, { after: undefined, limit: 1 })
  expect(letter).toMatchObject({ key: strange, reason: strange, consumer: `test/${'g'.repeat(150)}"';\\` })
  for (const prefix of ['a b', 'x; drop table y', 'é', 'x'.repeat(41)])
    expect(() => pgTransport({ pool: place.database.pool, prefix })).toThrow(/prefix/)
})

test('ids and positions of dead letters are text, also where the application reads large numbers as a type of its own', async () => {
  const getTypeParser = ((oid: number) => (oid === 20 ? BigInt : pg.types.getTypeParser(oid))) as never
  const pool = new pg.Pool({ connectionString: place.database.url, types: { getTypeParser } })
  const parsed = pgTransport({ pool })
  const consumer = await consume(parsed, 'a')
  await parsed.publish([message('x')])
  const [read] = await consumer.read({ messages: 1, bytes: 1_000 }, AbortSignal.timeout(5_000))
  await consumer.settle([{ delivery: read!, as: 'deadLetter', reason: 'no', history: [] }])
  const letters = await parsed.readDeadLetters(topic, { after: undefined, limit: 1 })
  expect(letters).toMatchObject([{ id: '1', position: read!.position }])
  await parsed.close()
  await pool.end()
})

test('a database that cannot be reached accepts nothing, and one that was not migrated is named', async () => {
  const pool = new pg.Pool({ connectionString: 'postgres://evt:evt@127.0.0.1:1/none' })
  const unreachable = pgTransport({ pool })
  const failures = await unreachable.publish([message('one'), message('two')])
  expect(failures.map(({ index, outcome }) => [index, outcome])).toEqual([
    [0, 'unavailable'],
    [1, 'unavailable'],
  ])
  expect(isEvtError(await failure(unreachable.open()), 'EVT_PG_UNAVAILABLE')).toBe(true)
  await pool.end()
  const missing = pgTransport({ pool: place.database.pool, prefix: 'nothing' })
  expect(isEvtError(await failure(missing.open()), 'EVT_PG_RELATION_MISSING')).toBe(true)
})

test('a connection that is lost while a batch is written leaves its outcome unknown and the rest unsent', async () => {
  await place.transport.declare({ name: topic, partitions: undefined })
  const dying = {
    async connect() {
      const client = await place.database.pool.connect()
      return {
        release: (error?: Error | boolean) => client.release(error),
        async query(sql: string, values?: unknown[]) {
          if (!sql.includes('_publish')) return client.query(sql, values)
          await client.query(sql, values)
          throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
        },
      }
    },
  }
  const large = () => ({ ...message('x'), payload: new Uint8Array(5 * 1_024 * 1_024) })
  const failures = await pgTransport({ pool: dying }).publish([large(), large()])
  expect(failures.map(({ outcome }) => outcome)).toEqual(['unknown', 'unavailable'])
})

test('any number of processes migrate at once', async () => {
  const transports = range(4).map(() =>
    pgTransport({ pool: place.database.pool, schema: 'elsewhere', prefix: 'my_events' }),
  )
  await Promise.all(transports.map((each) => each.migrate()))
  await transports[0]!.open()
  await until(async () => (await transports[1]!.publish([message('one')])).length === 0)
})

test('who only publishes makes no group', async () => {
  const Numbered = defineEvent('raw.numbered', { schema: type<{ n: number }>() })
  const bus = createBus({ service: 'test', transport: place.transport, logger: silentLogger })
  await bus.publishMany(range(3).map((n) => Numbered.of({ n })))
  const { rows } =
    await place.database.pool.query(`select (select count(*)::int from evt_transport_message) as messages,
    (select count(*)::int from evt_transport_group) as groups, (select count(*)::int from evt_transport_parcel) as parcels`)
  expect(rows).toEqual([{ messages: 3, groups: 0, parcels: 0 }])
  await bus.close()
})
