import assert from 'node:assert/strict'
import { contextKey, createBus, isEvtError, type Middleware, memoryTransport, on } from '@evt/core'
import { OrderPaid } from './contracts.ts'

interface Tenant {
  readonly id: string
  readonly plan: 'free' | 'pro'
}
const CurrentTenant = contextKey<Tenant>('tenant')
const tenancy: Middleware = {
  name: 'tenancy',
  async publish(message, next) {
    message.metadata('tenant', message.find(CurrentTenant)?.id ?? 'none')
    await next()
  },
  async consume(delivery, next) {
    delivery.set(CurrentTenant, { id: delivery.metadata.tenant ?? 'none', plan: 'pro' })
    const outcome = await next()
    if (outcome.status === 'retry') delivery.logger.warn({ afterMs: outcome.afterMs })
    return outcome
  },
}
const bus = createBus({ service: 's', transport: memoryTransport({ confirm: 'settled' }), use: [tenancy] })
const tenants: Tenant[] = []
const limits = on(OrderPaid, (_paid, delivery) => void tenants.push(delivery.get(CurrentTenant)), { group: 'limits' })
await bus.subscribe(limits)
await bus.publish(OrderPaid, { id: '1', paymentId: '2' })
let path: unknown
try {
  await bus.publish(OrderPaid, { id: '1', paymentId: 2 as never })
} catch (error) {
  if (isEvtError(error, 'EVT_PAYLOAD_INVALID', 'EVT_LEASE_LOST')) {
    if (error.code === 'EVT_PAYLOAD_INVALID') path = error.details.issues[0]?.path?.length
    else console.log(error.details.messageId)
  }
}
await bus.close()
assert.deepEqual(tenants, [{ id: 'none', plan: 'pro' }])
assert.equal(path, 1)
