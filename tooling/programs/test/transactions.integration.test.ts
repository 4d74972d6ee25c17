import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { isEvtError } from '@evt/core'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { OrderCreated, OrderPaid } from '../src/contracts.ts'
import { ownTransactions } from '../src/own-transaction.ts'
import { functions } from '../src/serverless.ts'
import { orderService } from '../src/transactions.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
  await database.pool.query('create table orders (id text primary key default gen_random_uuid()::text)')
})
afterAll(() => database.drop())

test('an order and its events commit together, over HTTP', async () => {
  const { pg, bus, server } = orderService(database.pool)
  await pg.migrate()
  const amounts: number[] = []
  let arrived: () => void = () => {}
  const both = new Promise<void>((resolve) => {
    arrived = resolve
  })
  await bus.subscribe(
    OrderCreated,
    (order) => {
      amounts.push(order.amount)
      if (amounts.length === 2) arrived()
    },
    { group: 'a' },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const id = await response.text()
  await both
  const { rows } = await database.pool.query('select id from orders')
  expect(rows).toEqual([{ id }])
  expect(amounts).toEqual([1, 2])
  const outside = await bus.publish(OrderCreated, { id, amount: 1, placedAt: 0 }).catch((error: unknown) => error)
  expect(isEvtError(outside, 'EVT_TRANSACTION_REQUIRED')).toBe(true)
  // E17 in plain JavaScript.
  const foreign = { transaction: { session: 1 } as never }
  const failure = await bus
    .publish(OrderCreated, { id, amount: 1, placedAt: 0 }, foreign)
    .catch((error: unknown) => error)
  expect(isEvtError(failure, 'EVT_TRANSACTION_FOREIGN', 'EVT_OUTBOX_NO_TRANSACTION')).toBe(true)
  server.close()
  await bus.close()
})

test('a function answers at once and publishes afterwards, without a relay', async () => {
  const later: (() => Promise<unknown>)[] = []
  const { outbox, bus, POST, GET } = functions(database.pool, (work) => void later.push(work))
  await outbox.migrate()
  const paid: string[] = []
  await bus.subscribe(OrderPaid, ({ paymentId }) => void paid.push(paymentId), { group: 'a' })
  const response = await POST(new Request('http://localhost/', { method: 'POST' }))
  expect([response.status, paid, await outbox.count()]).toEqual([202, [], { waiting: 1, parked: 0 }])
  await later[0]!()
  expect(await outbox.count()).toEqual({ waiting: 0, parked: 0 })
  expect((await GET()).status).toBe(200)
  await bus.close()
  expect(paid).toEqual(['p'])
})

test('events commit and roll back with a transaction of a pg client, without a cast; outside of one they are refused', async () => {
  const { outbox, place, placeWithout } = ownTransactions(database.pool)
  await outbox.migrate()
  await place('kept', 'commit')
  await place('gone', 'rollback')
  expect(await outbox.count()).toEqual({ waiting: 3, parked: 0 })
  const failure = await placeWithout('lost').catch((error: unknown) => error)
  expect(isEvtError(failure, 'EVT_OUTBOX_NO_TRANSACTION')).toBe(true)
})
