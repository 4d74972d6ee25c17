import { create } from '@bufbuild/protobuf'
import {
  createBus,
  defineEvent,
  memoryTransport,
  type Outbox,
  type RelayTarget,
  reject,
  type StoredMessage,
  silentLogger,
  type,
} from '@evt/core'
import { protobufCodec } from '../src/index.ts'
import { type Order, OrderIdSchema, OrderSchema } from './order-messages.ts'

const codec = protobufCodec(OrderSchema)
const OrderCreated = defineEvent('order.created', { schema: type<Order>(), codec, key: (order) => order.id })
const OrderClosed = defineEvent('order.closed', {
  schema: type<{ readonly id: string }>(),
  codec: protobufCodec(OrderIdSchema),
})
const order = create(OrderSchema, { id: 'a', cents: 2n ** 62n, receipt: new Uint8Array([1, 2]) })

/** Rows in this process, published when the test says so. */
function arrayOutbox(): Outbox<never> & { readonly rows: StoredMessage[]; relay(): Promise<void> } {
  const rows: StoredMessage[] = []
  let target: RelayTarget | undefined
  return {
    name: 'array',
    rows,
    ambient: () => undefined,
    append: async (_transaction, messages) => void rows.push(...messages),
    store: async (messages) => void rows.push(...messages),
    start: async (given) => {
      target = given
    },
    stop: async () => {},
    health: async () => ({ name: 'array', status: 'healthy' }),
    async relay() {
      for (const { transport, ...outgoing } of rows.splice(0)) await target!.publish(transport, [outgoing])
    },
  }
}

test('a message reaches its handler as a message, through the outbox and the transport', async () => {
  const outbox = arrayOutbox()
  await using bus = createBus({
    service: 'orders',
    transport: memoryTransport(),
    outbox,
    outsideTransaction: 'store',
    logger: silentLogger,
  })
  const arrival = new Promise<Order>((resolve) => {
    void bus.subscribe(OrderCreated, (arrived) => resolve(arrived), { group: 'billing' })
  })
  await bus.start()
  await bus.publish(OrderCreated, order)
  expect(outbox.rows[0]!.headers['content-type']).toBe('application/protobuf')
  expect(codec.decode(outbox.rows[0]!.payload)).toEqual(order)
  await outbox.relay()
  expect(await arrival).toEqual(order)
})

test('two events of one content type are each read with their own message', async () => {
  await using bus = createBus({ service: 'orders', transport: memoryTransport(), logger: silentLogger })
  const types: unknown[] = []
  await bus.subscribe(OrderCreated, (arrived) => void types.push(arrived.$typeName), { group: 'a' })
  await bus.subscribe(OrderClosed, (arrived) => void types.push((arrived as Partial<Order>).$typeName), { group: 'a' })
  await bus.publish(OrderCreated, order)
  await bus.publish(OrderClosed, { id: 'a' })
  while (types.length < 2) await new Promise((resolve) => setImmediate(resolve))
  expect(types.sort()).toEqual(['shop.Order', 'shop.OrderId'])
})

test('a dead letter keeps the bytes that were published, and so does one that cannot be read', async () => {
  const transport = memoryTransport()
  await using bus = createBus({ service: 'orders', transport, logger: silentLogger })
  const subscription = await bus.subscribe(OrderCreated, () => reject('sold out'), { group: 'billing' })
  await bus.publish(OrderCreated, order)
  const kept = await deadLetter(transport)
  expect(codec.decode(kept.payload)).toEqual(order)
  const headers = { ...kept.headers, 'ce-id': 'damaged' }
  const damaged = kept.payload.subarray(0, 2)
  await transport.publish([{ id: 'damaged', topic: 'evt.order.created', key: undefined, headers, payload: damaged }])
  const letter = await deadLetter(transport, 'damaged')
  expect(Buffer.from(letter.payload).equals(damaged)).toBe(true)
  expect(letter.reason).toContain('not a shop.Order')
  expect(subscription.stats().deadLettered).toBe(2)
})

test('a message of another type is refused before anything is sent', async () => {
  await using bus = createBus({ service: 'orders', transport: memoryTransport(), logger: silentLogger })
  const publishing = bus.publish(OrderCreated, create(OrderIdSchema, { id: 'a' }) as never)
  await expect(publishing).rejects.toMatchObject({ code: 'EVT_CODEC_ENCODE', details: { event: 'order.created' } })
})

async function deadLetter(transport: ReturnType<typeof memoryTransport>, id?: string) {
  const matching = () => transport.deadLetters().find(({ headers }) => id === undefined || headers['ce-id'] === id)
  while (matching() === undefined) await new Promise((resolve) => setImmediate(resolve))
  return matching()!
}
