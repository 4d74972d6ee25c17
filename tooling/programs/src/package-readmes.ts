/** The examples of the packages' READMEs, each in a function of its own: what they show is type-checked. */
import { create, type Message } from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import { msgpackCodec } from '@evt/codec-msgpack'
import { protobufCodec } from '@evt/codec-protobuf'
import { type Bus, createBus, defineEvent, type EventDefinition, on, type Transport, type } from '@evt/core'
import { type DlqStore, memoryDlqStore } from '@evt/dlq'
import { pgDlqStore } from '@evt/dlq-pg'
import { exactlyOnce, idempotency } from '@evt/idempotency'
import { pgIdempotencyStore, pgInbox } from '@evt/idempotency-pg'
import { memoryOutbox } from '@evt/outbox'
import { type PgOutbox, pgOutbox } from '@evt/outbox-pg'
import { pgTransactions } from '@evt/pg'
import { checkServer, type RedisClient, readScripts, runScript, taggedKey } from '@evt/redis'
import { kafkaTransport } from '@evt/transport-kafka'
import { jetstreamTransport } from '@evt/transport-nats'
import { pgTransport } from '@evt/transport-pg'
import { redisTransport } from '@evt/transport-redis'
import { Redis } from 'ioredis'
import { connect } from 'nats'
import type { Pool } from 'pg'
import { z } from 'zod'

/** What the READMEs take for granted. */
declare const pool: Pool
declare const pg: PgOutbox
declare const transport: Transport
export const OrderCreated: EventDefinition<'order.created', { id: string }> = defineEvent('order.created', {
  schema: z.object({ id: z.string() }),
  key: (order) => order.id,
})
const OrderPaid = defineEvent('order.paid', { schema: z.object({ id: z.string() }) })
const charge = on(OrderCreated, (order) => OrderPaid.of(order), { group: 'payment' })
const order = { id: 'a' }

export async function pgPackage() {
  const transactions = pgTransactions({ pool })
  await transactions.run(async (tx) => {
    await tx.query('insert into orders (id) values ($1)', ['1'])
  })
}

export async function redisPackage(client: RedisClient) {
  const scripts = readScripts(import.meta.url, ['append'])
  await checkServer(client, 'Opening')
  await runScript(client, { script: scripts.append, keys: [taggedKey('evt', 'orders', 'list')], args: ['one'] })
}

export async function outboxPackage() {
  const outbox = memoryOutbox()
  const bus = createBus({ service: 'orders', transport, outbox })
  await outbox.run(async () => {
    await bus.publish(OrderCreated, order)
  })
}

export async function outboxPgPackage() {
  const pg = pgOutbox({ pool })
  await pg.migrate()
  const bus = createBus({ service: 'orders', transport, outbox: pg })
  await pg.run(async (tx) => {
    await tx.query('insert into orders (id) values ($1)', [order.id])
    await bus.publish(OrderCreated, order)
  })
}

export function idempotencyPackage() {
  const once = exactlyOnce({ transactions: pg, inbox: pgInbox({ pool }) })
  const charge = on(
    OrderCreated,
    once(async (order, _delivery, tx) => {
      await tx.query('insert into payments (order_id) values ($1)', [order.id])
      return OrderPaid.of({ id: order.id })
    }),
    { group: 'payment' },
  )
  const payments = createBus({ service: 'payments', transport, outbox: pg }) // runs charge: what it returns needs the outbox
  const mail = createBus({ service: 'mail', transport, use: [idempotency({ store: pgIdempotencyStore({ pool }) })] })
  return [charge, payments, mail]
}

export async function idempotencyPgPackage() {
  const inbox = pgInbox({ pool })
  const store = pgIdempotencyStore({ pool })
  await Promise.all([inbox.migrate(), store.migrate()])
  const once = exactlyOnce({ transactions: pg, inbox })
  const bus = createBus({ service: 'mail', transport, use: [idempotency({ store })] })
  return [once, bus]
}

export async function dlqPackage() {
  const deadLetters = memoryDlqStore()
  const bus = createBus({ service: 'orders', transport, deadLetters })
  const { entries, cursor } = await deadLetters.list({ consumer: 'orders/payment', from: new Date(0) }, { limit: 100 })
  return { bus, entries, cursor }
}

export async function dlqAgain(deadLetters: DlqStore, bus: Bus, id: string) {
  const letter = (await deadLetters.get(id))!
  const payload = JSON.parse(Buffer.from(letter.payload).toString())
  await bus.publish(OrderCreated, payload, { id: letter.messageId, key: letter.key })
}

export async function dlqPgPackage() {
  const deadLetters = pgDlqStore({ pool })
  await deadLetters.migrate()
  const bus = createBus({ service: 'orders', transport, deadLetters })
  return bus
}

export async function pgTransportPackage() {
  const transport = pgTransport({ pool, listen: pool })
  await transport.migrate()
  const bus = createBus({ service: 'orders', transport, outbox: transport })
  await transport.run(async (tx) => {
    await tx.query('insert into orders (id) values ($1)', [order.id])
    await bus.publish(OrderCreated, order) // commits with the order; no outbox row, no relay
  })
}

export async function redisTransportPackage() {
  const client = new Redis('redis://localhost:6379')
  const bus = createBus({ service: 'orders', transport: redisTransport({ client }) })
  await bus.subscribe(charge)
  await bus.publish(OrderCreated, order)
  await bus.run() // until SIGTERM
  await client.quit() // it is yours, and would keep the process alive
}

export function natsTransportPackage() {
  const connection = () => connect({ servers: 'nats://localhost:4222', maxReconnectAttempts: -1 })
  const bus = createBus({ service: 'orders', transport: jetstreamTransport({ connection }) })
  return bus
}

export async function kafkaTransportPackage() {
  const transport = kafkaTransport({ brokers: ['localhost:9092'] })
  const bus = createBus({ service: 'orders', transport })
  await bus.subscribe(charge)
  await bus.publish(OrderCreated, order)
}

export function msgpackPackage() {
  const PhotoTaken = defineEvent('photo.taken', {
    schema: z.object({ id: z.bigint(), taken: z.date(), thumbnail: z.instanceof(Uint8Array) }),
    codec: msgpackCodec(),
  })
  return PhotoTaken
}

type Order = Message<'Order'> & { id: string; cents: bigint }
declare const OrderSchema: GenMessage<Order>

export async function protobufPackage(bus: Bus) {
  const OrderCreated = defineEvent('order.created', {
    schema: type<Order>(),
    codec: protobufCodec(OrderSchema),
    key: (order) => order.id,
  })
  await bus.publish(OrderCreated, create(OrderSchema, { id: 'a', cents: 100n }))
}
