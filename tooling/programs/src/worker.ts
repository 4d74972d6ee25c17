import assert from 'node:assert/strict'
import { createBus, memoryTransport, on, reject, retry, silentLogger } from '@evt/core'
import { OrderCreated, OrderPaid, OrderShipped } from './contracts.ts'

type Payment = { readonly status: 'ok' | 'declined' | 'busy'; readonly paymentId: string }
let busy = true
async function charge(
  order: { readonly id: string; readonly amount: number },
  _options: { signal: AbortSignal },
): Promise<Payment> {
  if (order.amount < 0) return { status: 'declined', paymentId: '' }
  const status = busy ? 'busy' : 'ok'
  busy = false
  return { status, paymentId: `P-${order.id}` }
}

export const chargeOrder = on(
  OrderCreated,
  async (order, delivery) => {
    const payment = await charge(order, { signal: delivery.signal })
    if (payment.status === 'declined') reject(new Error('card declined'))
    if (payment.status === 'busy') retry(new Error('busy'), { afterMs: 5 })
    return OrderPaid.of({ id: order.id, paymentId: payment.paymentId })
  },
  {
    group: 'payment',
    concurrency: 16,
    timeoutMs: 10_000,
    retry: { attempts: 8, classify: (error) => (error instanceof TypeError ? 'reject' : undefined) },
  },
)
export const shipOrder = on(OrderPaid, (paid) => OrderShipped.of({ id: paid.id, carrier: 'dhl' }), {
  group: 'shipping',
})
const placed: string[] = []
export const audit = on(OrderCreated, (order) => void placed.push(order.placedAt.toISOString()), {
  mode: 'broadcast',
  name: 'audit',
  startAt: 'latest',
})
const shipped: string[] = []
const arrival = on(OrderShipped, (order) => void shipped.push(`${order.id} by ${order.carrier}`), { mode: 'worker' })

const transport = memoryTransport({ confirm: 'settled' })
const bus = createBus({ service: 'fulfilment', transport, logger: silentLogger, defaults: { retry: { attempts: 5 } } })
await bus.subscribe(chargeOrder, shipOrder, audit, arrival)
const running = bus.run()
await bus.publish(OrderCreated, { id: 'ORD-1', amount: 10, placedAt: '2026-01-01' })
await bus.publish(OrderCreated, { id: 'ORD-2', amount: -1, placedAt: new Date('2026-01-02') })
await bus.close()
await running
assert.deepEqual(shipped, ['ORD-1 by dhl'])
assert.deepEqual(placed, ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'])
assert.deepEqual(
  transport.deadLetters().map(({ reason }) => reason),
  ['card declined'],
)
