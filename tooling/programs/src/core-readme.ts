import { createBus, defineEvent, memoryTransport, on } from '@evt/core'
import { z } from 'zod'

const OrderCreated = defineEvent('order.created', {
  schema: z.object({ id: z.string(), amount: z.number() }),
  key: (order) => order.id,
})
const OrderPaid = defineEvent('order.paid', { schema: z.object({ id: z.string() }) })
const charge = on(OrderCreated, (order) => OrderPaid.of({ id: order.id }), { group: 'payment', concurrency: 16 })

await using bus = createBus({ service: 'orders', transport: memoryTransport({ confirm: 'settled' }) })
await bus.subscribe(charge)
await bus.publish(OrderCreated, { id: 'ORD-1', amount: 99.99 })
