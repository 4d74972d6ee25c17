import assert from 'node:assert/strict'
import { createBus, defineEvent, memoryTransport, on, reject, silentLogger } from '@evt/core'
import { z } from 'zod'

const OrderCreated = defineEvent('order.created', {
  schema: z.object({ id: z.string(), amount: z.number() }),
  key: (order) => order.id,
})
const OrderPaid = defineEvent('order.paid', { schema: z.object({ id: z.string(), receipt: z.string() }) })

const charge = on(
  OrderCreated,
  async (order, { attempt }) => {
    if (order.amount > 10_000) reject('needs approval') // dead-lettered with its history, replayable
    if (attempt === 1) throw new Error('gateway is down') // anything else thrown: retried, 5 runs, backing off
    return OrderPaid.of({ id: order.id, receipt: 'R-1' }) // published, then acknowledged
  },
  { group: 'payment', retry: { backoff: { minMs: 1 } } },
)
const receipts: string[] = []
const report = on(OrderPaid, (paid) => void receipts.push(paid.receipt), { group: 'report' })

const transport = memoryTransport({ confirm: 'settled' })
const bus = createBus({ service: 'payments', transport, logger: silentLogger }) // later: another transport
await bus.subscribe(charge, report)
const running = bus.run() // until SIGTERM; then drains and closes
await bus.publish(OrderCreated, { id: 'ORD-1', amount: 99.99 })
await bus.publish(OrderCreated, { id: 'ORD-2', amount: 10_001 })
process.kill(process.pid, 'SIGTERM')
await running
assert.deepEqual(receipts, ['R-1'])
assert.deepEqual(
  transport.deadLetters().map(({ reason }) => reason),
  ['needs approval'],
)
