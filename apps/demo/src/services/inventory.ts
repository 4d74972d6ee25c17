import { on, type SubscriptionDefinition } from '@evt/core'
import type { ExactlyOnce } from '@evt/idempotency'
import type { PgTransaction } from '@evt/pg'
import { OrderCancelled, OrderPaid, OrderReserved } from '../events.ts'
import type { OpenOrders } from '../open-orders.ts'
import { strikes } from '../random.ts'
import { recordEffect } from './effect.ts'

/** Reserves stock; 2 % of the orders cannot be served and are cancelled. */
export function inventory(once: ExactlyOnce<PgTransaction>, open: OpenOrders): SubscriptionDefinition {
  return on(
    OrderPaid,
    once(async ({ id, totalCents }, _delivery, transaction) => {
      if (strikes(id, 'out of stock', 0.02)) {
        await recordEffect(transaction, 'cancellation', id)
        transaction.afterCommit(() => open.ended(id))
        return OrderCancelled.of({ id, reason: 'out of stock' })
      }
      await recordEffect(transaction, 'reservation', id)
      return OrderReserved.of({ id, totalCents })
    }),
    { group: 'inventory', onDeadLetter: (entry) => open.ended(entry.key!) },
  )
}
