/** Shared by services; one team is on zod, another on valibot. */
import { defineEvent, defineEvents, type, upcast } from '@evt/core'
import * as v from 'valibot'
import { z } from 'zod'

export const OrderCreated = defineEvent('order.created', {
  schema: z.object({
    id: z.string(),
    amount: z.number(),
    currency: z.string().default('EUR'),
    placedAt: z.coerce.date(),
  }),
  key: (order) => order.id,
})
export const OrderPaid = defineEvent('order.paid', {
  schema: v.object({ id: v.string(), paymentId: v.string(), note: v.optional(v.string()) }),
  key: (paid) => paid.id,
})
export const OrderShipped = defineEvent('order.shipped', { schema: type<{ id: string; carrier: 'dhl' | 'ups' }>() })

export const stock = defineEvents('stock', {
  reserved: { schema: z.object({ orderId: z.string(), sku: z.string() }), key: (reserved) => reserved.orderId },
  released: { schema: v.object({ orderId: v.string(), reason: v.string() }) },
})

const AddressV1 = z.object({ line: z.string() })
export const AddressChanged = defineEvent('address.changed', {
  version: 2,
  schema: z.object({ street: z.string(), number: z.string() }),
  upcasters: [
    upcast(1, AddressV1, (old) => ({ street: old.line.split(' ')[0] ?? '', number: old.line.split(' ')[1] ?? '' })),
  ],
})
