import { invalidOption, type SubscriptionDefinition } from '@evt/core'
import type { ExactlyOnce } from '@evt/idempotency'
import type { PgTransaction } from '@evt/pg'
import type { OpenOrders } from './open-orders.ts'
import { inventory } from './services/inventory.ts'
import { payment } from './services/payment.ts'
import { shipping } from './services/shipping.ts'

const workers = { payment, inventory, shipping }
export const serviceNames = ['payment', 'inventory', 'shipping', 'audit', 'intake'] as const
export type ServiceName = (typeof serviceNames)[number]

/** The services of a list such as `payment,audit`. Throws `EVT_OPTION_INVALID` for what is none. */
export function readServices(list: string): ReadonlySet<ServiceName> {
  const names = list.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !serviceNames.some((known) => known === name))
  if (unknown !== undefined) throw invalidOption('--services', `expected ${serviceNames.join(', ')}, not "${unknown}"`)
  return new Set(names as ServiceName[])
}

/** The worker groups among the services. */
export function workersOf(
  services: ReadonlySet<ServiceName>,
  once: ExactlyOnce<PgTransaction>,
  open: OpenOrders,
): readonly SubscriptionDefinition[] {
  return Object.entries(workers).flatMap(([name, make]) =>
    services.has(name as ServiceName) ? [make(once, open)] : [],
  )
}
