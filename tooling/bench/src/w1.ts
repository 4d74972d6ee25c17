import { randomUUID } from 'node:crypto'
import { type Bus, createBus, defineEvent, memoryTransport, type SubscribeOptions, type } from '@evt/core'
import Emittery from 'emittery'
import { timeOrderedId } from './ideal-id.ts'
import type { Ledger } from './ledger.ts'
import type { Contender, Workload } from './workload.ts'

interface Order {
  readonly id: string
  readonly amount: number
}
const OrderCreated = defineEvent('order.created', { schema: type<Order>() })
const order: Order = { id: 'o-1', amount: 12 }

/** In this process: publish, await the handlers, next. */
export const workloads: readonly Workload[] = [
  {
    kind: 'throughput',
    checked: 'once',
    id: 'w1.1',
    title: 'in-process publish, awaited until one handler has run',
    messages: 200_000,
    warmUp: 20_000,
    contenders: [ideal(1), ours('evt', 1), ours('evt, features named and off', 1, { isOff: true }), emittery(1)],
    goals: [
      { text: 'ns per message', value: (read) => read.median('evt'), atMost: 400 },
      { text: 'times as fast as emittery', value: (read) => read.ratio('evt', 'emittery'), atLeast: 4 },
      { text: 'of the speed of the ideal loop', value: (read) => read.ratio('evt', 'ideal'), atLeast: 0.45 },
      {
        text: 'ns for optional features that are off',
        value: (read) => read.median('evt, features named and off') - read.median('evt'),
        atMost: 20,
      },
    ],
  },
  {
    kind: 'throughput',
    checked: 'once',
    id: 'w1.10',
    title: 'in-process publish, awaited until ten handlers have run',
    messages: 50_000,
    warmUp: 20_000,
    contenders: [ideal(10), ours('evt', 10), emittery(10)],
    goals: [{ text: 'ns per message', value: (read) => read.median('evt'), atMost: 1_600 }],
  },
  {
    kind: 'throughput',
    checked: 'once',
    id: 'w1.3m',
    title: 'in-process publish, awaited until one handler inside three middlewares has run',
    messages: 100_000,
    warmUp: 20_000,
    contenders: [ideal(1), ours('evt', 1, { middlewares: 3 })],
  },
]

/** Hand-written: an id, an envelope, a look-up and the handlers. */
function ideal(handlers: number): Contender {
  return {
    name: 'ideal',
    async start() {
      let handled = 0
      let ledger: Ledger | undefined
      type Envelope = { readonly id: string; readonly type: string; readonly timeMs: number; readonly payload: Order }
      const byType = new Map<string, ((envelope: Envelope) => Promise<void>)[]>()
      byType.set(
        'order.created',
        Array.from({ length: handlers }, (_value, index) => async (envelope: Envelope) => {
          handled += 1
          ledger?.handled(envelope.id, undefined, index)
        }),
      )
      const publish = async (type: string, payload: Order) => {
        const timeMs = Date.now()
        const envelope = { id: timeOrderedId(timeMs), type, timeMs, payload }
        const list = byType.get(type)!
        if (list.length === 1) await list[0]!(envelope)
        else await Promise.all(list.map((handler) => handler(envelope)))
        return envelope.id
      }
      return {
        async run(messages, record) {
          ledger = record
          record?.expectHandlers(handlers)
          for (let index = 0; index < messages; index += 1) {
            const id = await publish('order.created', order)
            record?.sent(id)
          }
          ledger = undefined
        },
        handled: () => handled,
        async stop() {},
      }
    },
  }
}

interface OursOptions {
  readonly middlewares?: number | undefined
  /** Names the options of optional features with the values that switch them off. */
  readonly isOff?: boolean | undefined
}

function ours(name: string, handlers: number, { middlewares = 0, isOff = false }: OursOptions = {}): Contender {
  return {
    name,
    async start() {
      const off = {
        filter: undefined,
        rateLimit: undefined,
        circuit: false,
        latestOnly: false,
        use: [],
      }
      const bus: Bus = createBus({
        service: 'bench',
        transport: memoryTransport({ confirm: 'settled', byReference: true }),
        use: Array.from({ length: middlewares }, (_value, index) => ({
          name: `m${index}`,
          consume: (_delivery, next) => next(),
        })),
        ...(isOff ? { outbox: undefined, deadLetters: undefined, codecs: [], defaults: {} } : {}),
      })
      let handled = 0
      let ledger: Ledger | undefined
      for (let index = 0; index < handlers; index += 1) {
        const options: SubscribeOptions = { group: `g${index}`, ...(isOff ? off : {}) }
        await bus.subscribe(
          OrderCreated,
          async (_order, delivery) => {
            handled += 1
            ledger?.handled(delivery.id, undefined, index)
          },
          options,
        )
      }
      return {
        async run(messages, record) {
          ledger = record
          record?.expectHandlers(handlers)
          for (let index = 0; index < messages; index += 1) {
            const { id } = await bus.publish(OrderCreated, order)
            record?.sent(id)
          }
          ledger = undefined
        },
        handled: () => handled,
        stop: () => bus.close(),
      }
    },
  }
}

/** The peer with asynchronous listeners, with the id and envelope that it lacks. */
function emittery(handlers: number): Contender {
  return {
    name: 'emittery',
    async start() {
      interface Envelope {
        readonly id: string
        readonly timeMs: number
        readonly payload: Order
      }
      const emitter = new Emittery<{ 'order.created': Envelope }>()
      let handled = 0
      let ledger: Ledger | undefined
      for (let index = 0; index < handlers; index += 1) {
        emitter.on('order.created', async ({ data }) => {
          handled += 1
          ledger?.handled(data.id, undefined, index)
        })
      }
      return {
        async run(messages, record) {
          ledger = record
          record?.expectHandlers(handlers)
          for (let index = 0; index < messages; index += 1) {
            const id = randomUUID()
            await emitter.emit('order.created', { id, timeMs: Date.now(), payload: order })
            record?.sent(id)
          }
          ledger = undefined
        },
        handled: () => handled,
        async stop() {
          emitter.clearListeners()
        },
      }
    },
  }
}
