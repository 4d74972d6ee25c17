import { defineEvent } from '@evt/core'
import { z } from 'zod'

const orderSchema = z.object({
  id: z.string().min(1).max(64),
  customer: z.object({ name: z.string().min(1), email: z.email() }),
  items: z.array(z.object({ sku: z.string().min(1), quantity: z.int().positive() })).min(1),
  totalCents: z.int().positive(),
})
export type Order = z.infer<typeof orderSchema>

const stepSchema = z.object({ id: z.string(), totalCents: z.int() })
const key = (order: { id: string }) => order.id

export const OrderCreated = defineEvent('order.created', { schema: orderSchema, key })
export const OrderPaid = defineEvent('order.paid', { schema: stepSchema, key })
export const OrderReserved = defineEvent('order.reserved', { schema: stepSchema, key })
export const OrderShipped = defineEvent('order.shipped', { schema: stepSchema, key })
export const OrderCancelled = defineEvent('order.cancelled', {
  schema: z.object({ id: z.string(), reason: z.string() }),
  key,
})
export const allEvents = [OrderCreated, OrderPaid, OrderReserved, OrderShipped, OrderCancelled]
