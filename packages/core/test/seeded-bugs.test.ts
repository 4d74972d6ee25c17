import { type ConformanceCase, transportCases } from '../src/conformance/index.ts'
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

const bugs: Record<string, () => Promise<Transport>> = {
  'acknowledges before the handler': broken((consumer) => ({
    async read(room, signal) {
      const read = await consumer.read(room, signal)
      await consumer.settle(read.map((delivery) => ({ delivery, as: 'ack' as const })))
      return read
    },
    settle: async () => [],
  })),
  'drops on retry': settleAs((settlement) =>
    settlement.as === 'retry' ? { delivery: settlement.delivery, as: 'ack' } : settlement,
  ),
  'drops on release': settleAs((settlement) =>
    settlement.as === 'release' ? { delivery: settlement.delivery, as: 'ack' } : settlement,
  ),
  'does not raise the attempt': settleAs((settlement) =>
    settlement.as === 'retry' ? { ...settlement, attempt: 1 } : settlement,
  ),
  'delivers in the wrong order': broken((consumer) => ({
    read: async (room, signal) => [...(await consumer.read(room, signal))].reverse(),
  })),
  'delivers twice': broken((consumer) => {
    const seen = new Set<unknown>()
    return {
      async read(room, signal) {
        const read = await consumer.read({ ...room, messages: Math.max(1, room.messages >> 1) }, signal)
        const copies = read
          .filter((delivery) => !seen.has(delivery.position))
          .map((delivery): TransportDelivery => ({ ...delivery }))
        for (const delivery of read) seen.add(delivery.position)
        return [...read, ...copies]
      },
    }
  }),
  'delivers more than there is room for': broken((consumer) => ({
    read: (room, signal) => consumer.read({ messages: room.messages + 50, bytes: room.bytes }, signal),
  })),
  'accepts a late settlement': broken((consumer) => ({
    async settle(batch) {
      await consumer.settle(batch)
      return []
    },
  })),
  'goes on reading after close': broken((consumer) => ({
    async close() {
      void consumer.read({ messages: 10_000, bytes: 1e9 }, new AbortController().signal)
    },
  })),
  'keeps no dead letter': settleAs((settlement) =>
    settlement.as === 'deadLetter' ? { delivery: settlement.delivery, as: 'ack' } : settlement,
  ),
  'hides an unclean end': broken((consumer) => ({
    read: async (room, signal) =>
      (await consumer.read(room, signal)).map((delivery) => Object.assign(delivery, { suspect: false })),
  })),
}

async function firstBroken(cases: readonly ConformanceCase[]): Promise<string | undefined> {
  for (const { name, run } of cases) {
    const error = await run().then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (error !== undefined) return `${name}: ${(error as Error).message}`
  }
  return undefined
}

test.each(Object.entries(bugs))(
  'a transport that %s is caught by a case that names the broken promise',
  async (_bug, create) => {
    expect(await firstBroken([...transportCases({ create })].reverse())).toMatch(/broken promise: /)
  },
  60_000,
)
