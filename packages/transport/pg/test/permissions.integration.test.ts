import { createBus, defineEvent, isEvtError, silentLogger, type } from '@evt/core'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import pg from 'pg'
import { pgTransport } from '../src/index.ts'
import { failure, until } from './harness.ts'

const Created = defineEvent('order.created', { schema: type<{ id: string }>(), key: (order) => order.id })
let database: FreshDatabase
let role: string
let limited: pg.Pool
beforeEach(async () => {
  database = await freshDatabase()
  const url = new URL(database.url)
  role = `${url.pathname.slice(1)}_limited`
  await database.pool.query(`create role ${role} login password 'limited'`)
  Object.assign(url, { username: role, password: 'limited' })
  limited = new pg.Pool({ connectionString: url.href })
})
afterEach(async () => {
  await limited.end()
  await database.pool.query(`drop owned by ${role}; drop role ${role}`)
  await database.drop()
})

const grantTables = () =>
  database.pool.query(`grant select, insert, update, delete on all tables in schema public to ${role}`)

test('a role with the rights that the README names publishes, reads, retries, dead-letters and trims', async () => {
  await pgTransport({ pool: database.pool }).migrate()
  await grantTables()
  await database.pool.query(`grant usage on sequence evt_transport_parcel_id to ${role}`)
  const transport = pgTransport({ pool: limited, listen: limited })
  await transport.migrate()
  await using bus = createBus({ service: 'orders', transport, outbox: transport, logger: silentLogger })
  const outcomes: string[] = []
  const fail = () => Promise.reject(new Error('no'))
  const retry = { attempts: 2, backoff: { minMs: 1 } }
  const onDeadLetter = () => void outcomes.push('letter')
  await bus.subscribe(Created, fail, { group: 'a', retry, holdMs: 0, onDeadLetter })
  await bus.subscribe(Created, () => void outcomes.push('handled'), { mode: 'broadcast' })
  await transport.run(() => bus.publish(Created, { id: '1' }))
  await until(() => outcomes.length === 2)
  expect(outcomes.sort()).toEqual(['handled', 'letter'])
  const topic = 'evt.order.created'
  await until(async () => (await transport.trim(topic)).heldBackBy === null)
  const [letter] = await transport.readDeadLetters(topic, { after: undefined, limit: 1 })
  await transport.removeDeadLetters(topic, [letter!.id])
  expect(await transport.readDeadLetters(topic, { after: undefined, limit: 1 })).toEqual([])
})

test('a role that lacks a right is told what the server did not permit, and what it takes', async () => {
  const transport = pgTransport({ pool: limited })
  const migrating = await failure(transport.migrate())
  expect(isEvtError(migrating, 'EVT_PG_PERMISSION')).toBe(true)
  expect(migrating).toMatchObject({
    message:
      'Migrating transport/evt_transport is not permitted, permission denied for schema public: it takes create on the schema "public", or select on "public"."evt_migrations" where another role has applied them',
  })
  await pgTransport({ pool: database.pool }).migrate()
  await grantTables()
  await using bus = createBus({ service: 'orders', transport, logger: silentLogger })
  await bus.subscribe(Created, () => {}, { group: 'a' })
  const publishing = await failure(bus.publish(Created, { id: '1' }))
  expect(publishing).toMatchObject({
    code: 'EVT_PUBLISH_UNAVAILABLE',
    cause: { code: 'EVT_PG_PERMISSION' },
    message: expect.stringContaining('permission denied for sequence evt_transport_parcel_id'),
  })
})
