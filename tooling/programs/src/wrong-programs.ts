/** Programs that must not compile. Where one begins to, its directive is unused and the type check fails. */
import {
  type Bus,
  createBus,
  defineEvent,
  defineEvents,
  memoryTransport,
  on,
  onAny,
  onBatch,
  onEach,
  reject,
  type SubscribeOptions,
} from '@evt/core'
import { memoryOutbox } from '@evt/outbox'
import { pgOutbox } from '@evt/outbox-pg'
import type { PgPoolLike, PgTransaction } from '@evt/pg'
import type { Pool, PoolClient } from 'pg'
import * as v from 'valibot'
import { z } from 'zod'
import { OrderPaid, OrderShipped, stock } from './contracts.ts'

declare const bus: Bus
declare const pool: PgPoolLike
declare const pgPool: Pool
declare const client: PoolClient
declare const session: { readonly session: number }
declare const tx: PgTransaction
const transport = memoryTransport()
const transports = { redis: transport }
const pgBus = () => createBus({ service: 's', transport, outbox: pgOutbox({ pool }) })
const memoryBus = () => createBus({ service: 's', transport, outbox: memoryOutbox() })
const paid = { id: '1', paymentId: 'p' }
const handler = () => {}
const n = z.object({ n: z.number() })

export const wrong: readonly (() => unknown)[] = [
  // @ts-expect-error E01 wrong payload type
  () => bus.publish(OrderPaid, { id: 1, paymentId: 'p' }),
  // @ts-expect-error E02 missing field
  () => bus.publish(OrderPaid, { id: '1' }),
  // @ts-expect-error E03 excess field
  () => bus.publish(OrderPaid, { id: '1', paymentId: 'p', cardNumber: '4111' }),
  // @ts-expect-error E04 broadcast and group
  () => bus.subscribe(OrderPaid, handler, { mode: 'broadcast', group: 'x' }),
  // @ts-expect-error E05 an option that nobody has
  () => bus.subscribe(OrderPaid, handler, { group: 'x', checkpoint: { name: '' } }),
  // @ts-expect-error E06 misspelt option
  () => bus.subscribe(OrderPaid, handler, { group: 'x', concurency: 3 }),
  // @ts-expect-error E07 handler with a wrong parameter
  () => bus.subscribe(OrderPaid, (_order: { total: number }) => {}, { group: 'x' }),
  // @ts-expect-error E08 handler that returns rubbish
  () => on(OrderPaid, async (order) => ({ shipped: order.id }), { group: 'x' }),
  // @ts-expect-error E09 batch handler that returns rubbish
  () => onBatch(OrderPaid, (all) => Promise.all(all.map(async ({ id }) => id)), { group: 'x' }),
  // @ts-expect-error E10 name with a space
  () => defineEvent('order created', { schema: n }),
  // @ts-expect-error E11 name with a wildcard
  () => defineEvent('order.*', { schema: n }),
  // @ts-expect-error E12 z.date() does not survive JSON
  () => defineEvent('a.b', { schema: z.object({ at: z.date() }) }),
  // @ts-expect-error E13 neither does a bigint
  () => defineEvent('a.c', { schema: v.object({ n: v.bigint() }) }),
  // @ts-expect-error E14 a schema that refuses its own output
  () => defineEvent('a.d', { schema: z.object({ s: z.string().transform((s) => s.length) }) }),
  // @ts-expect-error the same among several events
  () => defineEvents('a', { b: { schema: z.object({ at: z.date() }) } }),
  // @ts-expect-error E15 onEach without one of its handlers
  () => onEach(stock, { reserved: handler }, { group: 'x' }),
  // @ts-expect-error E16 unknown transport in a route
  () => createBus({ service: 's', transports, defaultTransport: 'redis', routes: [{ events: stock, to: 'kafak' }] }),
  // @ts-expect-error E17 foreign transaction
  () => pgBus().publish(OrderPaid, paid, { transaction: session }),
  // @ts-expect-error a pool, which takes any of its connections for each statement
  () => pgBus().publish(OrderPaid, paid, { transaction: pgPool }),
  // @ts-expect-error the same, joined
  () => pgOutbox({ pool }).join(pgPool, async () => {}),
  // @ts-expect-error a pg client for an outbox in memory
  () => memoryBus().publish(OrderPaid, paid, { transaction: client }),
  // @ts-expect-error E18 transaction without outbox
  () => createBus({ service: 's', transport }).publish(OrderPaid, paid, { transaction: tx }),
  // @ts-expect-error E23 wrong option type
  () => bus.subscribe(OrderPaid, handler, { group: 'x', concurrency: '16' }),
  // @ts-expect-error E24 no schema
  () => defineEvent('a.e', {}),
  // @ts-expect-error E25 key that is a number
  () => defineEvent('a.f', { schema: n, key: (payload) => payload.n }),
  // @ts-expect-error E26 misspelt mode
  () => bus.subscribe(OrderPaid, handler, { mode: 'fanout' }),
  // @ts-expect-error E27 no service
  () => createBus({ transport }),
  // @ts-expect-error E28 a field of another event after narrowing
  () => onAny({ OrderPaid, OrderShipped }, (d) => void (d.type === 'order.paid' && d.payload.carrier), { group: 'x' }),
  // @ts-expect-error neither group nor mode
  () => bus.subscribe(OrderPaid, handler, {}),
  // @ts-expect-error no options at all
  () => bus.subscribe(OrderPaid, handler),
  // @ts-expect-error no default transport
  () => createBus({ service: 's', transports }),
  // @ts-expect-error a route to nowhere
  () => createBus({ service: 's', transports, defaultTransport: 'redis', routes: [{ events: stock, to: [] }] }),
  // @ts-expect-error misspelt bus option
  () => createBus({ service: 's', transport, outbx: pgOutbox({ pool }) }),
  // @ts-expect-error misspelt option of a message
  () => OrderPaid.of(paid, { metdata: {} }),
  // @ts-expect-error metadata that is no text
  () => bus.publish(OrderPaid, paid, { metadata: { retries: 5 } }),
  // @ts-expect-error a list published under one id
  () => bus.publishMany([OrderPaid.of(paid)], { id: 'x' }),
  // @ts-expect-error name with two dots
  () => defineEvent('order..paid', { schema: n }),
  // @ts-expect-error name with a line break
  () => defineEvent('order\r\nPUB x', { schema: n }),
  // @ts-expect-error a filter that answers later
  () => bus.subscribe(OrderPaid, handler, { group: 'x', filter: async () => false }),
  // @ts-expect-error a batch option outside onBatch
  () => on(OrderPaid, handler, { group: 'x', batch: { maxItems: 5 } }),
  // @ts-expect-error an order nobody keeps
  () => on(OrderPaid, handler, { group: 'x', ordered: 'key' }),
]

// @ts-expect-error E30 broadcast and group, as a value
export const options: SubscribeOptions = { mode: 'broadcast', group: 'x' }

/** E29: after `reject` nothing runs, so this function needs no return and compiles. */
export function after(): number {
  reject('x')
}
