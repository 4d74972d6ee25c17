import { defineEvent } from '@evt/core'
import { z } from 'zod'

// No "@" and no blank: an id stands in logs, where a name or an address must not.
const id = z.string().regex(/^[\w.-]{1,64}$/, 'expected 1 to 64 letters, digits, "_", "." and "-"')
const orderSchema = z.object({
  id,
  customer: z.object({ name: z.string().min(1), email: z.email() }),
  items: z.array(z.object({ sku: z.string().min(1), quantity: z.int().positive() })).min(1),
  totalCents: z.int().positive(),
})
export type Order = z.infer<typeof orderSchema>

const stepSchema = z.object({ id, totalCents: z.int() })
const key = (order: { id: string }) => order.id

export const OrderCreated = defineEvent('order.created', { schema: orderSchema, key, sensitive: ['customer'] })
export const OrderPaid = defineEvent('order.paid', { schema: stepSchema, key })
export const OrderReserved = defineEvent('order.reserved', { schema: stepSchema, key })
export const OrderShipped = defineEvent('order.shipped', { schema: stepSchema, key })
export const OrderCancelled = defineEvent('order.cancelled', { schema: z.object({ id, reason: z.string() }), key })
export const allEvents = [OrderCreated, OrderPaid, OrderReserved, OrderShipped, OrderCancelled]
