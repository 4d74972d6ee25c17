import { createBus, defineEvent, isEvtError, type StoredMessage, silentLogger, type } from '@evt/core'
import { freshDatabase } from '@evt/servers'
import { pgTransport } from '../src/index.ts'
import { consume, drain, failure, message, topic, until } from './harness.ts'
import { freshTransport } from './rig.ts'

const Created = defineEvent('order.created', { schema: type<{ id: string; n: number }>(), key: (order) => order.id })
const place = freshTransport()

const stored = (text: string): StoredMessage => ({ ...message(text), transport: 'pg' })
const messagesKept = async () => {
  const { rows } = await place.database.pool.query('select count(*)::int as count from evt_transport_message')
  return rows[0].count as number
}

test('what commits is handled, in order, and what rolls back never exists', async () => {
  await using bus = createBus({
    service: 'orders',
    transport: place.transport,
    outbox: place.transport,
    logger: silentLogger,
  })
  const seen: number[] = []
  await bus.subscribe(Created, (order) => void seen.push(order.n), { group: 'a' })
  await failure(
    place.transport.run(async () => {
      await bus.publish(Created, { id: 'x', n: 0 })
      throw new Error('no')
    }),
  )
  for (const n of [1, 2, 3]) {
    await place.transport.run(async (tx) => {
      expect((await bus.publish(Created, { id: 'x', n })).via).toBe('outbox')
      await tx.query('select 1')
    })
  }
  await bus.publish(Created, { id: 'x', n: 4 })
  await until(() => seen.length === 4)
  expect(seen).toEqual([1, 2, 3, 4])
})

test('five events of a transaction cost one statement more, right before COMMIT', async () => {
  const statements: string[] = []
  const counting = {
    async connect() {
      const client = await place.database.pool.connect()
      return {
        release: (error?: Error | boolean) => client.release(error),
        query(sql: string, values?: unknown[]) {
          statements.push(...sql.split('; ').map((each) => each.trim().split(/[\s"]/)[0]!))
          return client.query(sql, values)
        },
      }
    },
  }
  const counted = pgTransport({ pool: counting })
  await counted.declare({ name: topic, partitions: undefined })
  await counted.run((tx) => tx.query('select 1'))
  statements.length = 0
  await counted.run(async (tx) => {
    for (const text of ['1', '2', '3', '4', '5']) await counted.append(tx, [stored(text)])
    await tx.query('update pg_catalog.pg_class set relname = relname where false')
  })
  expect(statements).toEqual(['begin', 'set', 'update', 'select', 'commit'])
  expect(await messagesKept()).toBe(5)
})

test('a transaction that somebody else opened carries the messages, and a topic it made is gone when it rolls back', async () => {
  const client = await place.database.pool.connect()
  await client.query('begin')
  await place.transport.append(client, [stored('lost')])
  await client.query('rollback')
  await client.query('begin')
  await place.transport.append(client, [stored('kept')])
  await client.query('commit')
  client.release()
  const consumer = await consume(place.transport, 'a')
  expect(await drain(consumer, 1)).toEqual(['kept'])
  expect(await messagesKept()).toBe(1)
})

test('a closed, a foreign and an absent transaction are typed errors, and nothing is written', async () => {
  let closed: unknown
  await place.transport.run(async (tx) => {
    closed = tx
  })
  expect(isEvtError(await failure(place.transport.append(closed, [stored('x')])), 'EVT_TX_CLOSED')).toBe(true)
  const client = await place.database.pool.connect()
  const absent = await failure(place.transport.append(client, [stored('x')]))
  expect(isEvtError(absent, 'EVT_OUTBOX_NO_TRANSACTION')).toBe(true)
  client.release()
  const other = await freshDatabase()
  const stranger = await other.pool.connect()
  await stranger.query('begin')
  const foreign = await failure(place.transport.append(stranger, [stored('x')]))
  expect(isEvtError(foreign, 'EVT_TRANSACTION_FOREIGN')).toBe(true)
  await stranger.query('rollback')
  stranger.release()
  await other.drop()
  expect(await messagesKept()).toBe(0)
})

test('a message for another transport of the bus, or one that is too large, is refused at the call', async () => {
  await using bus = createBus({
    service: 'orders',
    transports: { main: place.transport, other: pgTransport({ pool: place.database.pool, prefix: 'other' }) },
    routes: [],
    defaultTransport: 'main',
    outbox: place.transport,
    logger: silentLogger,
  })
  await place.transport.start({
    supports: (name: string) => (name === 'main' ? place.transport.supports : undefined),
  } as never)
  await place.transport.run(async (tx) => {
    const strayed = await failure(place.transport.append(tx, [{ ...stored('x'), transport: 'other' }]))
    expect(isEvtError(strayed, 'EVT_TRANSPORT_UNKNOWN')).toBe(true)
    const large = { ...stored('x'), transport: 'main', payload: new Uint8Array(16 * 1_024 * 1_024 + 1) }
    expect(isEvtError(await failure(place.transport.append(tx, [large])), 'EVT_PUBLISH_REFUSED')).toBe(true)
    await bus.publish(Created, { id: 'x', n: 1 })
  })
  expect(await messagesKept()).toBe(1)
})

test('a serializable transaction that cannot see a new group fails to serialize instead of passing it over', async () => {
  await place.transport.declare({ name: topic, partitions: undefined })
  const client = await place.database.pool.connect()
  await client.query('begin isolation level repeatable read')
  await client.query('select 1')
  const consumer = await consume(place.transport, 'new')
  const error = await failure(place.transport.append(client, [stored('x')]))
  expect((error as { code?: string }).code).toBe('40001')
  await client.query('rollback')
  client.release()
  await consumer.close()
})

test('a message that comes while its transaction ends is committed with it or refused, whenever it comes', async () => {
  await place.transport.run((tx) => place.transport.append(tx, [stored('first')]))
  let accepted = 1
  for (let turns = 0; turns < 40; turns += 1) {
    let late: Promise<unknown> = Promise.resolve()
    await place.transport.run(async (tx) => {
      await place.transport.append(tx, [stored('in time')])
      accepted += 1
      // Nobody awaits it, and it comes a little later each time.
      late = failure(
        (async () => {
          for (let turn = 0; turn < turns; turn += 1) await undefined
          await place.transport.append(tx, [stored('late')])
          accepted += 1
        })(),
      )
    })
    const error = await late
    if (error !== undefined) expect(isEvtError(error, 'EVT_TX_CLOSED')).toBe(true)
  }
  expect(accepted).toBeGreaterThan(41)
  expect(await messagesKept()).toBe(accepted)
})

test('a transaction fails once where somebody emptied the tables, and the next makes its topic again', async () => {
  await place.transport.run((tx) => place.transport.append(tx, [stored('before')]))
  await place.transport.publish([message('known by now')])
  await place.database.pool.query('truncate evt_transport_topic, evt_transport_group, evt_transport_message')
  expect(await failure(place.transport.run((tx) => place.transport.append(tx, [stored('lost')])))).toBeDefined()
  await place.transport.run((tx) => place.transport.append(tx, [stored('kept')]))
  expect(await messagesKept()).toBe(1)
})

test('what was published after a savepoint is taken back with it, and nothing else', async () => {
  await place.transport.run(async (tx) => {
    await place.transport.append(tx, [stored('before')])
    await tx.query('savepoint one')
    await place.transport.append(tx, [stored('lost')])
    await tx.query('rollback to savepoint one')
    await place.transport.append(tx, [stored('after')])
  })
  await place.transport.run(async (tx) => {
    await tx.query('savepoint one')
    await place.transport.append(tx, [stored('lost')])
    await tx.query('rollback to one')
  })
  expect(await drain(await consume(place.transport, 'a'), 2)).toEqual(['before', 'after'])
  expect(await messagesKept()).toBe(2)
})
