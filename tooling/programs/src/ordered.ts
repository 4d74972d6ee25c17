import assert from 'node:assert/strict'
import { createBus, memoryTransport, on, silentLogger } from '@evt/core'
import { AddressChanged, OrderPaid } from './contracts.ts'

const seen: (string | undefined)[] = []
const inOrder = on(
  OrderPaid,
  async (paid, delivery) => {
    if (paid.note === 'first' && delivery.attempt === 1) throw new Error('again')
    seen.push(paid.note)
  },
  { group: 'ledger', ordered: 'process', concurrency: 64, retry: { backoff: { minMs: 1 } } },
)
const anyOrder = on(AddressChanged, (address) => void seen.push(address.street), {
  group: 'addresses',
  ordered: 'none',
  startAt: new Date('2026-01-01'),
})
const bus = createBus({ service: 's', transport: memoryTransport({ confirm: 'settled' }), logger: silentLogger })
await bus.subscribe(inOrder, anyOrder)
const running = bus.run()
await bus.publishMany(['first', 'second'].map((note) => OrderPaid.of({ id: '1', paymentId: 'p', note })))
await bus.publish(AddressChanged, { street: 'Elm', number: '5' })
await bus.close()
await running
assert.deepEqual(seen, ['first', 'second', 'Elm'])
