import { defineEvent, on, reject } from '@evt/core'
import { createTestBus, deliver } from '@evt/testing'
import { z } from 'zod'

const Ordered = defineEvent('ordered', { schema: z.object({ id: z.string(), amount: z.number() }) })
const Paid = defineEvent('paid', { schema: z.object({ id: z.string() }) })
const pay = (order: { id: string; amount: number }) =>
  order.amount > 99 ? reject('too much') : Paid.of({ id: order.id })
const charge = on(Ordered, pay, { group: 'payment' })

test('an order is paid, one that is too large is dead-lettered', async () => {
  await using bus = createTestBus({ subscriptions: [charge], faults: { duplicate: 0.3, reorder: 4, seed: 1 } })
  await bus.publishMany([Ordered.of({ id: 'a', amount: 10 }), Ordered.of({ id: 'b', amount: 500 })])
  await bus.settled()
  expect(bus.published(Paid)).toEqual([{ id: 'a' }])
  expect(bus.rejected(Ordered)[0]).toMatchObject({ payload: { id: 'b' }, error: 'too much' })
  const { outcome, published } = await deliver(charge, Ordered, { id: 'c', amount: 1 }, { attempt: 2 })
  expect([outcome.status, published]).toEqual(['ack', [Paid.of({ id: 'c' })]])
})
