import { transportCases } from '../src/conformance/index.ts'
import {
  type Consumer,
  memoryTransport,
  type Settlement,
  type Transport,
  type TransportDelivery,
} from '../src/index.ts'

/** The memory transport with one thing wrong. */
function broken(wrap: (consumer: Consumer) => Partial<Consumer>): () => Promise<Transport> {
  return async () => {
    const transport = memoryTransport()
    return {
      ...transport,
      supports: transport.supports,
      async consume(spec, events) {
        const consumer = await transport.consume(spec, events)
        return { ...consumer, ...wrap(consumer) }
      },
    }
  }
}
const settleAs = (change: (settlement: Settlement) => Settlement) =>
  broken((consumer) => ({ settle: (batch) => consumer.settle(batch.map(change)) }))

/** Each bug with the words of the promise that it breaks. */
const bugs: Record<string, readonly [create: () => Promise<Transport>, caseName: RegExp, promise: RegExp]> = {
  'acknowledges before the handler': [
    broken((consumer) => ({
      async read(room, signal) {
        const read = await consumer.read(room, signal)
        await consumer.settle(read.map((delivery) => ({ delivery, as: 'ack' as const })))
        return read
      },
      settle: async () => [],
    })),
    /went away is delivered again/,
    /an unsettled message is delivered again/,
  ],
  'drops on retry': [
    settleAs((settlement) => (settlement.as === 'retry' ? { delivery: settlement.delivery, as: 'ack' } : settlement)),
    /beyond the hold time/,
    /a delayed message comes back/,
  ],
  'drops on release': [
    settleAs((settlement) => (settlement.as === 'release' ? { delivery: settlement.delivery, as: 'ack' } : settlement)),
    /a released one comes back/,
    /a released message is delivered again/,
  ],
  'does not raise the attempt': [
    settleAs((settlement) => (settlement.as === 'retry' ? { ...settlement, attempt: 1 } : settlement)),
    /beyond the hold time/,
    /a delayed retry raises the attempt by one/,
  ],
  'delivers in the wrong order': [
    broken((consumer) => ({
      read: async (room, signal) => [...(await consumer.read(room, signal))].reverse(),
    })),
    /16 keys/,
    /handled in publish order/,
  ],
  'delivers twice': [
    broken((consumer) => {
      const seen = new Set<unknown>()
      return {
        async read(room, signal) {
          const read = await consumer.read({ ...room, messages: Math.max(1, room.messages >> 1) }, signal)
          const copies = read.filter((delivery) => !seen.has(delivery.position)).map(copyOf)
          for (const delivery of read) seen.add(delivery.position)
          return [...read, ...copies]
        },
      }
    }),
    /each once$/,
    /is not delivered again/,
  ],
  'delivers more than there is room for': [
    broken((consumer) => ({
      read: (room, signal) => consumer.read({ messages: room.messages + 50, bytes: room.bytes }, signal),
    })),
    /no more messages than there is room/,
    /keeps to its room/,
  ],
  'accepts a late settlement': [
    broken((consumer) => ({
      async settle(batch) {
        await consumer.settle(batch)
        return []
      },
    })),
    /after the lease was lost/,
    /a late settlement is refused/,
  ],
  'goes on reading after close': [
    broken((consumer) => ({
      async close() {
        void consumer.read({ messages: 10_000, bytes: 1e9 }, new AbortController().signal)
      },
    })),
    /close lets running handlers finish/,
    /what was given back is delivered/,
  ],
  'dead-letters after the acknowledgement, when it is too late': [
    settleAs((settlement) =>
      settlement.as === 'deadLetter' ? { delivery: settlement.delivery, as: 'ack' } : settlement,
    ),
    /can be read back/,
    /every dead letter is kept/,
  ],
  'hides an unclean end': [
    broken((consumer) => ({
      read: async (room, signal) =>
        (await consumer.read(room, signal)).map((delivery) => Object.assign(delivery, { suspect: false })),
    })),
    /went away is delivered again/,
    /after an unclean end it is a suspect/,
  ],
}

test.concurrent.each(Object.entries(bugs))(
  'a transport that %s is caught by a case that names the broken promise',
  async (_bug, [create, caseName, promise]) => {
    const found = transportCases({ create }).find(({ name }) => caseName.test(name))
    await expect(found!.run()).rejects.toThrow(promise)
  },
  60_000,
)

/** By name: what is made at the first look does not spread. */
function copyOf(delivery: TransportDelivery): TransportDelivery {
  const { headers, payload, value, key, partition, position } = delivery
  const { attempt, deliveries, suspect, leaseMs, receipt } = delivery
  return { headers, payload, value, key, partition, position, attempt, deliveries, suspect, leaseMs, receipt }
}
