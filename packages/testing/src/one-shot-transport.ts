import { memoryTransport, type Outgoing, type Transport, type TransportDelivery } from '@evt/core'

/** Hands over one delivery of one topic, once, and takes every message and every settlement. */
export function oneShotTransport(transportName: string, topic: string, delivery: TransportDelivery): Transport {
  const { supports } = memoryTransport()
  let handedOver = false
  return {
    name: transportName,
    supports,
    async open() {},
    declare: async ({ name }) => ({ name, partitions: undefined }),
    publish: async (_batch: readonly Outgoing[]) => [],
    async consume(spec) {
      const closed = new AbortController()
      return {
        async read(_room, signal) {
          if (spec.topic === topic && !handedOver) {
            handedOver = true
            return [delivery]
          }
          await aborted(AbortSignal.any([signal, closed.signal]))
          return []
        },
        settle: async () => [],
        extend: async () => [],
        close: async () => closed.abort(),
      }
    },
    inspect: async () => [],
    readDeadLetters: async () => [],
    removeDeadLetters: async () => {},
    trim: async () => ({ removed: 0, heldBackBy: null }),
    async close() {},
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
