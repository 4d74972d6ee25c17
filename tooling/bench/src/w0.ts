import { createBus } from '@evt/core'
import { timeOrderedId } from './ideal-id.ts'
import { instantMessage, instantTransport } from './instant-transport.ts'
import type { Ledger } from './ledger.ts'
import { KeyedOrder, type Order, OrderCreated, order } from './order.ts'
import type { Contender, Goal, Workload } from './workload.ts'

const messages = 100_000
const warmUp = 20_000
const concurrency = 100
const prefetch = 500
const publishers = 256

/** Over a transport that answers at once: what is left is core's own. */
export const workloads: readonly Workload[] = [
  {
    ...{ kind: 'throughput', checked: 'once', id: 'w0.consume', messages, warmUp },
    title: 'consume from a transport that costs nothing',
    contenders: [byHand(false), consumer(false)],
    goals: ownCost(2),
  },
  {
    ...{ kind: 'throughput', checked: 'once', id: 'w0.keyed', messages, warmUp },
    title: 'consume from a transport that costs nothing, in order within 1,000 keys',
    contenders: [byHand(true), consumer(true)],
    goals: ownCost(2),
  },
  {
    ...{ kind: 'throughput', checked: 'once', id: 'w0.publish', messages, warmUp },
    title: 'publish to a transport that costs nothing, 256 publishes side by side',
    contenders: [encodedByHand(), publisher()],
    goals: ownCost(2),
  },
]

function ownCost(atMost: number): readonly Goal[] {
  const value: Goal['value'] = (read) => read.figure('evt', 'cpu µs') - read.figure('by hand', 'cpu µs')
  return [{ text: 'µs of processor time more than by hand', value, atMost }]
}

/** Makes the same deliveries, parses and calls the handler. */
function byHand(isKeyed: boolean): Contender {
  return {
    name: 'by hand',
    async start() {
      let handled = 0
      let number = 0
      return {
        async run(count, ledger) {
          const handler = async (payload: Order, id: string) => {
            if (payload.id.length > 0) handled += 1
            ledger?.handled(id)
          }
          for (let left = count; left > 0; left -= prefetch) {
            await new Promise<void>((resolve) => setImmediate(resolve))
            const batch = Array.from({ length: Math.min(left, prefetch) }, () => {
              number += 1
              return instantMessage(number, isKeyed)
            })
            for (const { headers } of batch) ledger?.sent(headers['ce-id']!)
            await Promise.all(
              batch.map(({ headers, payload }) => {
                const text = (payload as Buffer).toString()
                return handler(JSON.parse(text) as Order, headers['ce-id']!)
              }),
            )
          }
        },
        handled: () => handled,
        async stop() {},
      }
    },
  }
}

function consumer(isKeyed: boolean): Contender {
  return {
    name: 'evt',
    async start() {
      const instant = instantTransport(isKeyed, () => undefined)
      const bus = createBus({ service: 'bench', transport: instant.transport })
      let handled = 0
      let until = 0
      let ledger: Ledger | undefined
      let onDone: (() => void) | undefined
      const handler = async (payload: Order, { id }: { readonly id: string }) => {
        if (payload.id.length > 0) handled += 1
        ledger?.sent(id)
        ledger?.handled(id)
        if (handled === until) onDone?.()
      }
      await bus.subscribe(isKeyed ? KeyedOrder : OrderCreated, handler, { group: 'g', concurrency, prefetch })
      return {
        async run(count, record) {
          ledger = record
          until = handled + count
          const done = new Promise<void>((resolve) => {
            onDone = resolve
          })
          instant.offer(count)
          await done
          ledger = undefined
        },
        handled: () => handled,
        stop: () => bus.close(),
      }
    },
  }
}

/** An id, headers and JSON for each, then one turn of the event loop for all. */
function encodedByHand(): Contender {
  return {
    name: 'by hand',
    async start() {
      let sent = 0
      return {
        async run(count, ledger) {
          for (let left = count; left > 0; left -= publishers) {
            const batch = Array.from({ length: Math.min(left, publishers) }, () => {
              const timeMs = Date.now()
              const id = timeOrderedId(timeMs)
              const headers = { 'ce-id': id, 'ce-type': 'order.created', 'ce-time': new Date(timeMs).toISOString() }
              return { headers, payload: Buffer.from(JSON.stringify(order)) }
            })
            await new Promise<void>((resolve) => setImmediate(resolve))
            sent += batch.length
            for (const { headers } of batch) {
              ledger?.sent(headers['ce-id'])
              ledger?.handled(headers['ce-id'])
            }
          }
        },
        handled: () => sent,
        async stop() {},
      }
    },
  }
}

function publisher(): Contender {
  return {
    name: 'evt',
    async start() {
      let sent = 0
      let ledger: Ledger | undefined
      const { transport } = instantTransport(false, (batch) => {
        sent += batch.length
        for (const { id } of batch) ledger?.handled(id)
      })
      const bus = createBus({ service: 'bench', transport })
      return {
        async run(count, record) {
          ledger = record
          let left = count
          const publish = async () => {
            for (; left > 0; ) {
              left -= 1
              const { id } = await bus.publish(OrderCreated, order)
              record?.sent(id)
            }
          }
          await Promise.all(Array.from({ length: publishers }, publish))
          ledger = undefined
        },
        handled: () => sent,
        stop: () => bus.close(),
      }
    },
  }
}
