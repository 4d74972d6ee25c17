import { setTimeout as delay } from 'node:timers/promises'
import { on, type SubscriptionDefinition } from '@evt/core'
import type { ExactlyOnce } from '@evt/idempotency'
import type { PgTransaction } from '@evt/pg'
import { OrderReserved, OrderShipped } from '../events.ts'
import { strikes } from '../random.ts'
import { recordEffect } from './effect.ts'

const timeoutMs = 250

/** Ships orders. The carrier takes too long for 1 % of them at the first try, which the timeout ends. */
export function shipping(
  once: ExactlyOnce<PgTransaction>,
  onShipped: (orderId: string) => void,
): SubscriptionDefinition {
  return on(
    OrderReserved,
    once(async ({ id, totalCents }, { attempt, signal }, transaction) => {
      if (attempt === 1 && strikes(id, 'slow carrier', 0.01)) await delay(timeoutMs * 4, undefined, { signal })
      await recordEffect(transaction, 'shipment', id)
      transaction.afterCommit(() => onShipped(id))
      return OrderShipped.of({ id, totalCents })
    }),
    { group: 'shipping', timeoutMs, retry: { backoff: { minMs: 100 } } },
  )
}
