import { createBus, defineEvent, type MemoryTransportOptions, memoryTransport, type } from '@evt/core'
import { timeOrderedId } from './ideal-id.ts'
import type { Contender, Seen, Workload } from './workload.ts'

const concurrency = 64
const publishers = 64
const bound = 10_000

/** About 300 bytes of JSON. */
const order = {
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
type Order = typeof order
const OrderCreated = defineEvent('order.created', { schema: type<Order>() })

/** Through a bounded queue in memory: many publishers at once, 64 handlers at once, each message acknowledged. */
export const w2: readonly Workload[] = [
  {
    id: 'w2.json',
    title: 'memory transport, encoded as JSON',
    messages: 100_000,
    contenders: [ideal(true), ours('evt', {}), ours('evt, settled', { confirm: 'settled' })],
  },
  {
    id: 'w2.ref',
    title: 'memory transport, by reference',
    messages: 200_000,
    contenders: [
      ideal(false),
      ours('evt', { byReference: true }),
      ours('evt, settled', { byReference: true, confirm: 'settled' }),
    ],
  },
]

/** Hand-written: an id, an envelope, a bounded queue, a limit of handlers, a promise per message. */
function ideal(isEncoded: boolean): Contender {
  return {
    name: 'ideal',
    async start() {
      let handled = 0
      let seen: Seen | undefined
      interface Envelope {
        readonly id: string
        readonly timeMs: number
        readonly payload: Order | string
      }
      let queue: Envelope[] = []
      let head = 0
      let running = 0
      let onIdle: (() => void) | undefined
      const waiting: (() => void)[] = []
      const handler = async (payload: Order, id: string) => {
        if (payload.id.length > 0) handled += 1
        seen?.handled[0]?.push(id)
      }
      const work = async ({ id, payload }: Envelope) => {
        await handler(isEncoded ? (JSON.parse(payload as string) as Order) : (payload as Order), id)
        running -= 1
        pump()
      }
      const pump = () => {
        while (running < concurrency && head < queue.length) {
          running += 1
          const next = queue[head]!
          head += 1
          if (head > 1_024 && head * 2 > queue.length) {
            queue = queue.slice(head)
            head = 0
          }
          void work(next)
        }
        if (waiting.length > 0 && queue.length - head < bound) waiting.shift()!()
        if (running === 0) onIdle?.()
      }
      const publish = async (payload: Order) => {
        while (queue.length - head >= bound) await new Promise<void>((resolve) => waiting.push(resolve))
        const timeMs = Date.now()
        const id = timeOrderedId(timeMs)
        queue.push({ id, timeMs, payload: isEncoded ? JSON.stringify(payload) : payload })
        pump()
        return id
      }
      return {
        async run(messages, record) {
          seen = record
          record?.handled.push([])
          await publishAll(messages, async () => {
            const id = await publish(order)
            record?.published.push(id)
          })
          if (running > 0) {
            await new Promise<void>((resolve) => {
              onIdle = resolve
            })
            onIdle = undefined
          }
          seen = undefined
        },
        handled: () => handled,
        async stop() {},
      }
    },
  }
}

function ours(name: string, options: MemoryTransportOptions): Contender {
  return {
    name,
    async start() {
      const bus = createBus({ service: 'bench', transport: memoryTransport({ ...options, maxMessages: bound }) })
      let handled = 0
      let awaited = 0
      let onIdle: (() => void) | undefined
      let seen: Seen | undefined
      await bus.subscribe(
        OrderCreated,
        async (payload, delivery) => {
          if (payload.id.length > 0) handled += 1
          seen?.handled[0]?.push(delivery.id)
          if (handled === awaited) onIdle?.()
        },
        { group: 'g', concurrency },
      )
      return {
        async run(messages, record) {
          seen = record
          record?.handled.push([])
          awaited = handled + messages
          const idle = new Promise<void>((resolve) => {
            onIdle = resolve
          })
          await publishAll(messages, async () => {
            const { id } = await bus.publish(OrderCreated, order)
            record?.published.push(id)
          })
          await idle
          seen = undefined
        },
        handled: () => handled,
        stop: () => bus.close(),
      }
    },
  }
}

async function publishAll(messages: number, publish: () => Promise<void>): Promise<void> {
  let left = messages
  await Promise.all(
    Array.from({ length: publishers }, async () => {
      while (left > 0) {
        left -= 1
        await publish()
      }
    }),
  )
}
