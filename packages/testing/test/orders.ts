import {
  defineEvent,
  type EventDefinition,
  on,
  type ParsedEventDefinition,
  reject,
  retry,
  type SubscriptionDefinition,
  type,
} from '@evt/core'
import { z } from 'zod'

interface Order {
  readonly id: string
  readonly amount: number
  readonly currency: string
  readonly placedAt: Date
}
interface OrderInput {
  readonly id: string
  readonly amount: number
  readonly currency?: string | undefined
  readonly placedAt: unknown
}
export const OrderCreated: ParsedEventDefinition<'order.created', Order, OrderInput> = defineEvent('order.created', {
  schema: z.object({
    id: z.string(),
    amount: z.number(),
    currency: z.string().default('EUR'),
    placedAt: z.coerce.date(),
  }),
  key: (order) => order.id,
})
export const OrderPaid: EventDefinition<'order.paid', { id: string; paymentId: string }> = defineEvent('order.paid', {
  schema: z.object({ id: z.string(), paymentId: z.string() }),
  key: (paid) => paid.id,
})
export const OrderShipped: EventDefinition<'order.shipped', { id: string; carrier: 'dhl' | 'ups' }> = defineEvent(
  'order.shipped',
  { schema: type<{ id: string; carrier: 'dhl' | 'ups' }>() },
)

async function charge(order: { readonly amount: number }): Promise<{ status: 'ok' | 'declined' | 'busy' }> {
  await null
  return { status: order.amount < 0 ? 'busy' : order.amount > 1_000 ? 'declined' : 'ok' }
}

export const chargeOrder: SubscriptionDefinition = on(
  OrderCreated,
  async (order) => {
    const payment = await charge(order)
    if (payment.status === 'declined') reject(new Error('card declined'))
    if (payment.status === 'busy') retry(new Error('busy'), { afterMs: 30_000 })
    return OrderPaid.of({ id: order.id, paymentId: 'p' })
  },
  {
    group: 'payment',
    concurrency: 16,
    timeoutMs: 10_000,
    retry: { attempts: 8, classify: (error) => (error instanceof TypeError ? 'reject' : undefined) },
  },
)
export const shipOrder: SubscriptionDefinition = on(
  OrderPaid,
  (paid) => OrderShipped.of({ id: paid.id, carrier: 'dhl' }),
  { group: 'shipping' },
)
