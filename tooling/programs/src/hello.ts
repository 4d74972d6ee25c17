import assert from 'node:assert/strict'
import { createBus, defineEvent, memoryTransport } from '@evt/core'
import { z } from 'zod'

const OrderCreated = defineEvent('order.created', {
  schema: z.object({ id: z.string(), amount: z.number() }),
  key: (order) => order.id,
})

// Settled: a publish resolves once it was handled, so that nothing is left behind when this program ends.
const bus = createBus({ service: 'orders', transport: memoryTransport({ confirm: 'settled' }) })
const shipped: string[] = []
await bus.subscribe(
  OrderCreated,
  async (order, delivery) => {
    delivery.logger.info({ id: order.id, attempt: delivery.attempt }, 'shipping')
    shipped.push(order.id)
  },
  { group: 'shipping' },
)
const published = await bus.publish(OrderCreated, { id: 'ORD-1', amount: 99.99 })
await bus.close()
assert.deepEqual([shipped, published.via], [['ORD-1'], 'transport'])
