import { defineEvent, type EventDefinition, type } from '@evt/core'

/** About 300 bytes of JSON. */
export const order = {
  id: 'o-0123456789',
  customer: { id: 'c-0123456789', name: 'Ada Lovelace', email: 'ada@example.test' },
  lines: [
    { sku: 'sku-1', quantity: 2, cents: 1_299 },
    { sku: 'sku-2', quantity: 1, cents: 4_950 },
  ],
  currency: 'EUR',
  note: 'leave it with the neighbours, they are at home until seven',
  created: '2026-01-01T00:00:00.000Z',
}
export type Order = typeof order
export const OrderCreated: EventDefinition<'order.created', Order> = defineEvent('order.created', {
  schema: type<Order>(),
})
/** The same with a key, as messages of an outbox mostly have. */
export const KeyedOrder: EventDefinition<'order.created', Order> = defineEvent('order.created', {
  schema: type<Order>(),
  key: (payload) => payload.id,
})
