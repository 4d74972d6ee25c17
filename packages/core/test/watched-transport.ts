import type { MemoryTransport, Settlement, Transport, TransportDelivery } from '../src/index.ts'

/** What a test sees of a transport, and where it makes it fail. */
export interface Watched {
  /** What happened, in order. */
  readonly log: string[]
  /** Deliveries read and not settled. */
  readonly held: Set<TransportDelivery>
  readonly mostHeld: number
  readonly mostHeldBytes: number
  /** Throws where settling should fail. */
  beforeSettle: (batch: readonly Settlement[]) => void
  beforeRead: () => void
  wrap(transport: MemoryTransport): Transport
}

/** Watches a transport as an adapter's author would: by wrapping it. */
export function watched(): Watched {
  let mostHeld = 0
  let mostHeldBytes = 0
  let bytes = 0
  const held = new Set<TransportDelivery>()
  const log: string[] = []
  const watch: Watched = {
    log,
    held,
    get mostHeld() {
      return mostHeld
    },
    get mostHeldBytes() {
      return mostHeldBytes
    },
    beforeSettle: () => {},
    beforeRead: () => {},
    wrap: (transport) => ({
      ...transport,
      async consume(spec, events) {
        const consumer = await transport.consume(spec, events)
        return {
          ...consumer,
          async read(room, signal) {
            watch.beforeRead()
            const read = await consumer.read(room, signal)
            for (const delivery of read) {
              held.add(delivery)
              bytes += delivery.payload.byteLength
            }
            mostHeld = Math.max(mostHeld, held.size)
            mostHeldBytes = Math.max(mostHeldBytes, bytes)
            return read
          },
          async settle(batch) {
            watch.beforeSettle(batch)
            const refused = await consumer.settle(batch)
            for (const { delivery, as } of batch) {
              log.push(as)
              if (as !== 'started' && held.delete(delivery)) bytes -= delivery.payload.byteLength
            }
            return refused
          },
        }
      },
    }),
  }
  return watch
}
