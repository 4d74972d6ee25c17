import { createBus, type MemoryTransportOptions, memoryTransport } from '@evt/core'
import { timeOrderedId } from './ideal-id.ts'
import type { Ledger } from './ledger.ts'
import { type Order, OrderCreated, order } from './order.ts'
import type { Contender, Workload } from './workload.ts'

const concurrency = 64
const publishers = 64
const bound = 10_000

/** Through a bounded queue in memory: many publishers at once, 64 handlers at once, each message acknowledged. */
export const workloads: readonly Workload[] = [
  {
    kind: 'throughput',
    checked: 'once',
    id: 'w2.json',
    title: 'memory transport, encoded as JSON',
    messages: 100_000,
    warmUp: 20_000,
    contenders: [ideal(true), ours('evt', {}), ours('evt, settled', { confirm: 'settled' })],
    goals: [
      { text: 'messages a second', value: (read) => read.perSecond('evt'), atLeast: 300_000 },
      { text: 'of the speed of the ideal loop', value: (read) => read.ratio('evt', 'ideal'), atLeast: 0.75 },
    ],
  },
  {
    kind: 'throughput',
    checked: 'once',
    id: 'w2.ref',
    title: 'memory transport, by reference',
    messages: 200_000,
    warmUp: 20_000,
    contenders: [
      ideal(false),
      ours('evt', { byReference: true }),
      ours('evt, settled', { byReference: true, confirm: 'settled' }),
    ],
    goals: [{ text: 'messages a second', value: (read) => read.perSecond('evt'), atLeast: 1_500_000 }],
  },
]

/** Hand-written: an id, an envelope, a bounded queue, a limit of handlers, a promise per message. */
function ideal(isEncoded: boolean): Contender {
  return {
    name: 'ideal',
    async start() {
      let handled = 0
      let ledger: Ledger | undefined
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
        ledger?.handled(id)
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
          ledger = record
          await publishAll(messages, async () => {
            const id = await publish(order)
            record?.sent(id)
          })
          if (running > 0) {
            await new Promise<void>((resolve) => {
              onIdle = resolve
            })
            onIdle = undefined
          }
          ledger = undefined
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
      let ledger: Ledger | undefined
      await bus.subscribe(
        OrderCreated,
        async (payload, delivery) => {
          if (payload.id.length > 0) handled += 1
          ledger?.handled(delivery.id)
          if (handled === awaited) onIdle?.()
        },
        { group: 'g', concurrency },
      )
      return {
        async run(messages, record) {
          ledger = record
          awaited = handled + messages
          const idle = new Promise<void>((resolve) => {
            onIdle = resolve
          })
          await publishAll(messages, async () => {
            const { id } = await bus.publish(OrderCreated, order)
            record?.sent(id)
          })
          await idle
          ledger = undefined
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
