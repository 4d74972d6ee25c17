import assert from 'node:assert/strict'
import { createBus, memoryTransport, onBatch, silentLogger } from '@evt/core'
import { OrderPaid } from './contracts.ts'

const rows: string[] = []
const warehouse = {
  async insert(orders: readonly { readonly id: string }[]): Promise<void> {
    rows.push(...orders.map(({ id }) => id))
  },
  async send(order: { readonly id: string }): Promise<string> {
    if (order.id === '3') throw new Error('no such shelf')
    return order.id
  },
}
const all = onBatch(OrderPaid, (orders) => warehouse.insert(orders), {
  batch: { maxItems: 500, maxBytes: 1_000_000, lingerMs: 10 },
  group: 'warehouse',
})
const each = onBatch(OrderPaid, (orders) => Promise.allSettled(orders.map((order) => warehouse.send(order))), {
  batch: { maxItems: 100, lingerMs: 10 },
  group: 'shelves',
  retry: { attempts: 1 },
})

const transport = memoryTransport({ confirm: 'settled' })
const bus = createBus({ service: 'stock', transport, logger: silentLogger })
await bus.subscribe(all, each)
const running = bus.run()
await bus.publishMany(['1', '2', '3'].map((id) => OrderPaid.of({ id, paymentId: 'p' })))
await bus.close()
await running
assert.deepEqual(rows, ['1', '2', '3'])
assert.deepEqual(
  transport.deadLetters().map(({ key }) => key),
  ['3'],
)
