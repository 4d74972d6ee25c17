import { z } from 'zod'
import {
  createBus,
  defineEvent,
  isEvtError,
  memoryTransport,
  on,
  onBatch,
  reject,
  silentLogger,
  type,
} from '../src/index.ts'
import { makeRig, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'

const OrderCreated = defineEvent('order.created', {
  schema: z.object({ id: z.string(), amount: z.number() }),
  key: (order) => order.id,
})
const OrderPaid = defineEvent('order.paid', { schema: type<{ id: string }>() })
const quick = { attempts: 3, backoff: { minMs: 1, maxMs: 1 } }

function until(condition: () => boolean, deadlineMs = 5_000): Promise<void> {
  const endMs = Date.now() + deadlineMs
  return new Promise((resolve, fail) => {
    const look = () => {
      if (condition()) resolve()
      else if (Date.now() > endMs) fail(new Error('the condition did not come true'))
      else setImmediate(look)
    }
    look()
  })
}

test('a handler gets what was published, with its envelope', async () => {
  await using bus = createBus({ service: 'orders', transport: memoryTransport() })
  const seen: unknown[] = []
  await bus.subscribe(
    OrderCreated,
    (order, delivery) => void seen.push([order, delivery.key, delivery.source, delivery.attempt]),
    { group: 'a' },
  )
  const published = await bus.publish(OrderCreated, { id: '1', amount: 2 }, { metadata: { tenant: 't' } })
  expect(published.via).toBe('transport')
  await until(() => seen.length === 1)
  expect(seen[0]).toEqual([{ id: '1', amount: 2 }, '1', '/orders', 1])
})

test('a returned message is published before the acknowledgement, under an id derived from its source', async () => {
  await using bus = createBus({ service: 'orders', transport: memoryTransport() })
  const ids: string[] = []
  const causes: (string | undefined)[] = []
  await bus.subscribe(
    on(OrderCreated, (order) => OrderPaid.of({ id: order.id }), { group: 'pay' }),
    on(
      OrderPaid,
      (_paid, delivery) => {
        ids.push(delivery.id)
        causes.push(delivery.causationId)
      },
      { group: 'ship' },
    ),
  )
  const published = await bus.publish(OrderCreated, { id: '1', amount: 2 })
  await until(() => ids.length === 1)
  expect(causes).toEqual([published.id])
  expect(ids[0]).not.toBe(published.id)
})

test('a handler that fails twice and then succeeds runs three times, attempts 1, 2, 3', async () => {
  await using bus = createBus({ service: 'orders', transport: memoryTransport() })
  const attempts: number[] = []
  const subscription = await bus.subscribe(
    OrderCreated,
    (_order, delivery) => {
      attempts.push(delivery.attempt)
      if (delivery.attempt < 3) throw new Error('again')
    },
    { group: 'a', retry: quick },
  )
  await bus.publish(OrderCreated, { id: '1', amount: 2 })
  await until(() => subscription.stats().acknowledged === 1)
  expect(attempts).toEqual([1, 2, 3])
})

test('a rejected message is dead-lettered at once with its reason, and its successors go on', async () => {
  const transport = memoryTransport()
  await using bus = createBus({ service: 'orders', transport, logger: silentLogger })
  const subscription = await bus.subscribe(
    OrderCreated,
    (order) => {
      if (order.amount === 1) reject(new Error('no'))
    },
    { group: 'a' },
  )
  await bus.publishMany([OrderCreated.of({ id: '1', amount: 1 }), OrderCreated.of({ id: '1', amount: 2 })])
  await until(() => subscription.stats().acknowledged === 1 && transport.deadLetters().length === 1)
  expect(transport.deadLetters()[0]).toMatchObject({ reason: 'no', consumer: 'orders/a' })
})

test('a payload that does not fit its schema is refused before anything is sent', async () => {
  await using bus = createBus({ service: 'orders', transport: memoryTransport() })
  const failure = await bus.publish(OrderCreated, { id: 1 } as never).catch((error: unknown) => error)
  expect(isEvtError(failure, 'EVT_PAYLOAD_INVALID')).toBe(true)
})

test('messages of one key are handled one after the other in publish order, also when one is retried', async () => {
  await using bus = createBus({ service: 'orders', transport: memoryTransport() })
  const seen: number[] = []
  await bus.subscribe(
    OrderCreated,
    (order, delivery) => {
      if (order.amount === 1 && delivery.attempt === 1) throw new Error('again')
      seen.push(order.amount)
    },
    { group: 'a', retry: quick },
  )
  await bus.publishMany([1, 2, 3].map((amount) => OrderCreated.of({ id: 'k', amount })))
  await until(() => seen.length === 3)
  expect(seen).toEqual([1, 2, 3])
})

test('a batch handler gets its items together and settles each by its own result', async () => {
  const transport = memoryTransport()
  await using bus = createBus({ service: 'orders', transport, logger: silentLogger })
  const sizes: number[] = []
  const [subscription] = await bus.subscribe(
    onBatch(
      OrderPaid,
      (paid) => {
        sizes.push(paid.length)
        return Promise.allSettled(
          paid.map((each) => (each.id === '2' ? Promise.reject(new Error('two')) : Promise.resolve())),
        )
      },
      { group: 'a', batch: { maxItems: 5, lingerMs: 10 }, retry: { attempts: 1 } },
    ),
  )
  await bus.publishMany(['1', '2', '3', '4', '5'].map((id) => OrderPaid.of({ id })))
  await until(() => subscription!.stats().acknowledged === 4 && transport.deadLetters().length === 1)
  expect(sizes).toEqual([5])
})

test('close waits for running handlers and starts none afterwards', async () => {
  const bus = createBus({ service: 'orders', transport: memoryTransport() })
  let running = 0
  let done = 0
  let release: () => void = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  await bus.subscribe(
    OrderPaid,
    async () => {
      running += 1
      await gate
      done += 1
    },
    { group: 'a', concurrency: 2 },
  )
  await bus.publishMany(['1', '2', '3', '4'].map((id) => OrderPaid.of({ id })))
  await until(() => running === 2)
  const closing = bus.close()
  release()
  await closing
  expect([running, done]).toEqual([2, 2])
})

test('saying neither group nor mode is an error that names the choices', () => {
  expect(() => on(OrderPaid, () => {}, {} as never)).toThrow(/group: .* mode: 'broadcast'/)
})

test('two buses of one service in one process know nothing of each other', async () => {
  const seen: string[] = []
  await using one = makeRig()
  await using two = makeRig()
  await one.bus.subscribe(Tock, () => void seen.push('one'), { group: 'a' })
  await two.bus.subscribe(Tock, () => void seen.push('two'), { group: 'a' })
  await one.bus.publish(Tock, { n: 1 })
  await settle()
  expect(seen).toEqual(['one'])
})
