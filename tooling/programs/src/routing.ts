import assert from 'node:assert/strict'
import { createBus, memoryTransport, onAny, onEach, onEverything } from '@evt/core'
import { OrderCreated, OrderPaid, OrderShipped, stock } from './contracts.ts'

const near = memoryTransport({ confirm: 'settled' })
const far = memoryTransport({ confirm: 'settled' })
const bus = createBus({
  service: 'orders',
  transports: { near, far },
  defaultTransport: 'near',
  routes: [
    { events: [OrderPaid], to: 'far' },
    { events: stock, to: ['near', 'far'] },
    { events: 'audit.*', to: 'far' },
  ],
})
const seen: unknown[] = []
const orders = { OrderCreated, OrderPaid, OrderShipped }
const any = onAny(
  orders,
  (delivery) => {
    switch (delivery.type) {
      case 'order.created':
        seen.push(delivery.payload.placedAt.getTime())
        break
      case 'order.paid':
        seen.push(delivery.payload.paymentId)
        break
      case 'order.shipped':
        seen.push(delivery.payload.carrier)
        break
      default:
        delivery satisfies never
    }
  },
  { group: 'any' },
)
const each = onEach(
  stock,
  {
    reserved: (reserved, delivery) => void seen.push([reserved.sku, delivery.type]),
    released: async (released) => void seen.push(released.reason),
  },
  { group: 'stock' },
)
const audited: string[] = []
const everything = onEverything((delivery) => void audited.push(delivery.type), { mode: 'broadcast' })
await bus.subscribe(any, each, everything)
await bus.publishMany([
  OrderCreated.of({ id: '1', amount: 1, placedAt: 1 }),
  stock.reserved.of({ orderId: '1', sku: 's' }),
])
await bus.publish(OrderPaid, { id: '1', paymentId: 'p' })
await bus.close()
assert.deepEqual(seen, [1, ['s', 'stock.reserved'], 'p'])
assert.deepEqual(audited.sort(), ['order.created', 'order.paid', 'stock.reserved'])
