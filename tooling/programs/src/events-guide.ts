/** The programs of docs/events.md, each in a function of its own: what they show is type-checked. */
import {
  type Bus,
  defineEvent,
  on,
  onAny,
  onBatch,
  onEach,
  onEverything,
  reject,
  retry,
  type SubscriptionDefinition,
  upcast,
} from '@evt/core'
import { z } from 'zod'

declare const gateway: {
  charge(cents: number, options: { readonly signal: AbortSignal; readonly idempotencyKey: string }): Promise<string>
}
declare const GatewayBusy: new () => Error & { readonly afterMs: number }
declare const bus: Bus

export function versions(): readonly unknown[] {
  const OrderV1 = z.object({ id: z.string(), amount: z.number() })
  const OrderCreated = defineEvent('order.created', {
    version: 2,
    schema: z.object({ id: z.string(), cents: z.number().int() }),
    upcasters: [upcast(1, OrderV1, ({ id, amount }) => ({ id, cents: Math.round(amount * 100) }))],
    key: (order) => order.id,
  })
  return [OrderCreated]
}

const OrderCreated = defineEvent('order.created', { schema: z.object({ id: z.string(), cents: z.number() }) })
const OrderPaid = defineEvent('order.paid', { schema: z.object({ id: z.string(), receipt: z.string() }) })

export function subscriptions(): readonly SubscriptionDefinition[] {
  const orders = { OrderCreated, OrderPaid }
  const group = 'report'
  const one = on(OrderCreated, (order, delivery) => console.log(order.cents, delivery.id), { group })
  const many = onBatch(OrderPaid, (paid) => console.log(paid.length), {
    group,
    batch: { maxItems: 500, lingerMs: 200 },
  })
  const any = onAny(orders, (delivery) => console.log(delivery.type, delivery.payload.id), { group: 'audit' })
  const each = onEach(
    orders,
    { OrderCreated: (order) => console.log(order.cents), OrderPaid: (paid) => console.log(paid.receipt) },
    { group: 'ledger' },
  )
  const all = onEverything((delivery) => console.log(delivery.type), { mode: 'broadcast', name: 'tail' })
  return [one, many, any, each, all]
}

export function handlers(): SubscriptionDefinition {
  const charge = on(
    OrderCreated,
    async (order, { id, signal, lastAttempt }) => {
      if (order.cents < 0) reject('a negative amount') // throws: dead-lettered now
      try {
        const receipt = await gateway.charge(order.cents, { signal, idempotencyKey: id })
        return OrderPaid.of({ id: order.id, receipt }) // published, then acknowledged
      } catch (error) {
        if (error instanceof GatewayBusy && !lastAttempt) retry(error, { afterMs: error.afterMs }) // throws, too
        throw error // retried by the policy, dead-lettered after its last attempt
      }
    },
    { group: 'payment', retry: { attempts: 8, backoff: { minMs: 500, maxMs: 60_000, factor: 3 } } },
  )
  return charge
}

export async function publishing(): Promise<void> {
  const { id, via } = await bus.publish(
    OrderCreated,
    { id: 'ORD-1', cents: 9_999 },
    { metadata: { tenant: 'acme' }, correlationId: 'request-7' },
  )
  await bus.publishMany([OrderCreated.of({ id: 'ORD-2', cents: 1 }), OrderPaid.of({ id: 'ORD-2', receipt: 'R-2' })])
  bus.fire(OrderPaid, { id: 'ORD-3', receipt: 'R-3' }) // no promise: failures go to `onError`
  console.log(id, via)
}
