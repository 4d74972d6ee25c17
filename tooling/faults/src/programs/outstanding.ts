import type { Transport, TransportDelivery } from '@evt/core'
import { wrapConsumers, wrapTransport } from '@evt/testing'

/** A transport that counts what it has handed over and not yet seen settled. */
export interface Watched {
  readonly transport: Transport
  /** The most there ever was of one consumer. */
  readonly most: number
}

export function watchOutstanding(inner: Transport): Watched {
  let most = 0
  const transport = wrapTransport(inner, {
    consume: wrapConsumers(inner, (consumer) => {
      const held = new Set<TransportDelivery>()
      return {
        async read(room, signal) {
          const deliveries = await consumer.read(room, signal)
          for (const delivery of deliveries) held.add(delivery)
          most = Math.max(most, held.size)
          return deliveries
        },
        async settle(batch) {
          const refusals = await consumer.settle(batch)
          for (const { delivery, as } of batch) if (as !== 'started') held.delete(delivery)
          return refusals
        },
        async extend(deliveries) {
          const lost = await consumer.extend(deliveries)
          for (const delivery of lost) held.delete(delivery)
          return lost
        },
      }
    }),
  })
  return {
    transport,
    get most() {
      return most
    },
  }
}
