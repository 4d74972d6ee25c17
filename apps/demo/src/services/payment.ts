import { on, reject, type SubscriptionDefinition } from '@evt/core'
import type { ExactlyOnce } from '@evt/idempotency'
import type { PgTransaction } from '@evt/pg'
import { OrderCreated, OrderPaid } from '../events.ts'
import type { OpenOrders } from '../open-orders.ts'
import { strikes } from '../random.ts'
import { recordEffect } from './effect.ts'

/** Charges orders. The gateway is away once for 3 % of them and declines 0.5 % for good. */
export function payment(once: ExactlyOnce<PgTransaction>, open: OpenOrders): SubscriptionDefinition {
  return on(
    OrderCreated,
    once(async ({ id, totalCents }, delivery, transaction) => {
      if (strikes(id, 'payment declined', 0.005)) reject(`the card for ${id} was declined`)
      if (delivery.attempt === 1 && strikes(id, 'gateway away', 0.03)) throw new Error('the gateway is away')
      await recordEffect(transaction, 'payment', id)
      return OrderPaid.of({ id, totalCents })
    }),
    { group: 'payment', retry: { backoff: { minMs: 100 } }, onDeadLetter: (entry) => open.ended(entry.key!) },
  )
}
