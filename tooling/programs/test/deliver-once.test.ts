import { on, reject } from '@evt/core'
import { exactlyOnce, memoryInbox } from '@evt/idempotency'
import { memoryOutbox } from '@evt/outbox'
import { deliver } from '@evt/testing'
import { OrderCreated, OrderPaid } from '../src/contracts.ts'

test('a handler that runs exactly once is delivered to as it is, and nothing is left in its outbox', async () => {
  const outbox = memoryOutbox()
  const once = exactlyOnce({ transactions: outbox, inbox: memoryInbox() })
  const charge = on(
    OrderCreated,
    once(async ({ id, amount }) => (amount > 9 ? reject('too much') : OrderPaid.of({ id, paymentId: 'p' }))),
    { group: 'payment' },
  )
  const order = { id: '1', amount: 1, placedAt: 0 }
  const { outcome, published } = await deliver(charge, OrderCreated, order)
  expect([outcome, published]).toEqual([{ status: 'ack' }, [OrderPaid.of({ id: '1', paymentId: 'p' })]])
  expect((await deliver(charge, OrderCreated, { ...order, amount: 10 })).outcome.status).toBe('reject')
  expect(await outbox.count()).toEqual({ waiting: 0, parked: 0 })
})
