import { setTimeout as delay } from 'node:timers/promises'
import { on, type SubscriptionDefinition } from '@evt/core'
import type { ExactlyOnce } from '@evt/idempotency'
import type { PgTransaction } from '@evt/pg'
import { OrderReserved, OrderShipped } from '../events.ts'
import type { OpenOrders } from '../open-orders.ts'
import { strikes } from '../random.ts'
import { recordEffect } from './effect.ts'

const timeoutMs = 500

/** Ships orders. The carrier takes too long for 1 % of them at the first try, which the timeout ends. */
export function shipping(once: ExactlyOnce<PgTransaction>, open: OpenOrders): SubscriptionDefinition {
  return on(
    OrderReserved,
    once(async ({ id, totalCents }, { attempt, signal }, transaction) => {
      if (attempt === 1 && strikes(id, 'slow carrier', 0.01)) await delay(timeoutMs * 4, undefined, { signal })
      await recordEffect(transaction, 'shipment', id)
      transaction.afterCommit(() => open.shipped(id))
      return OrderShipped.of({ id, totalCents })
    }),
    {
      group: 'shipping',
      timeoutMs,
      retry: { backoff: { minMs: 100 } },
      onDeadLetter: (entry) => open.ended(entry.key!),
    },
  )
}
