/** What a package compiled with `isolatedDeclarations` can write. */
import { defineEvent, type EventDefinition, on, type SubscriptionDefinition, type } from '@evt/core'
import { z } from 'zod'

export interface Refund {
  readonly id: string
  readonly cents: number
  readonly note?: string | undefined
}
export const Refunded: EventDefinition<'order.refunded', Refund> = defineEvent('order.refunded', {
  schema: z.object({ id: z.string(), cents: z.number(), note: z.string().optional() }),
  key: (refund) => refund.id,
})
export const Typed: EventDefinition<'order.typed', Refund> = defineEvent('order.typed', { schema: type<Refund>() })
export const handler: SubscriptionDefinition = on(
  Refunded,
  (refund, delivery) => {
    delivery.logger.info({ cents: refund.cents, type: delivery.type satisfies 'order.refunded' })
  },
  { group: 'refunds' },
)
export interface Exact {
  readonly id: string
  readonly note?: string
}
export const exact: EventDefinition<'order.exact', Exact> = defineEvent('order.exact', {
  schema: z.object({ id: z.string(), note: z.string().exactOptional() }),
})
// @ts-expect-error schema and annotation disagree
export const Wrong: EventDefinition<'order.wrong', Refund> = defineEvent('order.wrong', {
  schema: z.object({ id: z.number() }),
})
// @ts-expect-error name and annotation disagree
export const WrongName: EventDefinition<'order.a', Refund> = defineEvent('order.b', { schema: type<Refund>() })
