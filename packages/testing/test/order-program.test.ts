import { createTestBus, deliver } from '@evt/testing'
import { chargeOrder, OrderCreated, OrderPaid, OrderShipped, shipOrder } from './orders.ts'

test('an order is charged, then shipped', async () => {
  await using bus = createTestBus({ subscriptions: [chargeOrder, shipOrder], faults: { duplicate: 0.3, seed: 1 } })
  await bus.publish(OrderCreated, { id: 'ORD-1', amount: 10, placedAt: new Date() })
  await bus.settled()
  expect(bus.published(OrderShipped)).toEqual([{ id: 'ORD-1', carrier: 'dhl' }])
  const paid = await bus.next(OrderPaid, (p) => p.id === 'ORD-1')
  expect(paid.paymentId).toEqual('p')
})

test('a busy gateway is retried after 30 s', async () => {
  await using bus = createTestBus({ subscriptions: [chargeOrder] })
  await bus.publish(OrderCreated, { id: 'ORD-1', amount: 10, placedAt: new Date() })
  await bus.clock.advance(30_000)
  const { outcome } = await deliver(chargeOrder, OrderCreated, { id: 'ORD-1', amount: -1, placedAt: 0 }, { attempt: 7 })
  expect(outcome).toMatchObject({ status: 'retry', afterMs: 30_000, counted: true })
})

test('a declined card is dead-lettered with its error', async () => {
  await using bus = createTestBus({ subscriptions: [chargeOrder, shipOrder] })
  await bus.publish(OrderCreated, { id: 'ORD-1', amount: 5_000, placedAt: '2026-01-01' })
  await bus.settled()
  expect(bus.rejected(OrderCreated)).toMatchObject([
    {
      payload: { id: 'ORD-1', currency: 'EUR' },
      error: new Error('card declined'),
      consumer: 'test/payment',
      attempts: 1,
    },
  ])
  expect(bus.published(OrderPaid)).toEqual([])
})
