/** Transports that settle wrongly. */
import type { Consumer, ConsumeSpec, Settlement, Transport, TransportDelivery } from '@evt/core'
import { wrapConsumers, wrapTransport } from '@evt/testing'
import type { Bug } from './bug.ts'

const consumers = (around: (consumer: Consumer, spec: ConsumeSpec) => Partial<Consumer>) => (right: Transport) =>
  wrapTransport(right, { consume: wrapConsumers(right, around) })
const settledAs = (change: (settlement: Settlement) => Settlement) =>
  consumers((consumer) => ({ settle: (batch) => consumer.settle(batch.map(change)) }))
const acknowledged = ({ delivery }: Settlement): Settlement => ({ delivery, as: 'ack' })

export const acknowledgesBeforeTheHandler: Bug = {
  about: 'acknowledges before the handler',
  scenario: 'F4',
  transport: consumers((consumer) => ({
    async read(room, signal) {
      const deliveries = await consumer.read(room, signal)
      await consumer.settle(deliveries.map((delivery) => ({ delivery, as: 'ack' })))
      return deliveries
    },
    settle: async () => [],
    extend: async () => [],
  })),
}

export const losesNegativeAcknowledgements: Bug = {
  about: 'takes a negative acknowledgement for a positive one',
  scenario: 'F18',
  quick: true,
  transport: settledAs((settlement) => (settlement.as === 'retry' ? acknowledged(settlement) : settlement)),
}

export const redeliversEarly: Bug = {
  about: 'redelivers after a tenth of the delay',
  scenario: 'F18',
  transport: settledAs((settlement) =>
    settlement.as === 'retry' ? { ...settlement, afterMs: Math.floor(settlement.afterMs / 10) } : settlement,
  ),
}

export const forgetsAttempts: Bug = {
  about: 'counts every retry as the first attempt',
  scenario: 'F19',
  transport: settledAs((settlement) => (settlement.as === 'retry' ? { ...settlement, attempt: 1 } : settlement)),
}

export const losesWhatIsGivenBack: Bug = {
  about: 'acknowledges what a closing consumer gives back',
  scenario: 'F27',
  transport: settledAs((settlement) => (settlement.as === 'release' ? acknowledged(settlement) : settlement)),
}

export const commitsPastTheUnhandled: Bug = {
  about: 'acknowledges everything up to a position',
  scenario: 'F1',
  transport: consumers((consumer) => {
    const open = new Set<TransportDelivery>()
    return {
      async read(room, signal) {
        const deliveries = await consumer.read(room, signal)
        for (const delivery of deliveries) open.add(delivery)
        return deliveries
      },
      async settle(batch) {
        const newest = Math.max(...batch.map(({ delivery, as }) => (as === 'ack' ? Number(delivery.position) : 0)))
        const passed = [...open].filter((delivery) => Number(delivery.position) <= newest)
        for (const delivery of passed) open.delete(delivery)
        const rest = batch.filter(({ delivery }) => !passed.includes(delivery))
        await consumer.settle([...passed.map((delivery) => ({ delivery, as: 'ack' as const })), ...rest])
        return []
      },
    }
  }),
}

export const runsKeysAtOnce: Bug = {
  about: 'hands messages of one key to several handlers at once',
  scenario: 'F1',
  transport: consumers((consumer) => ({
    read: async (room, signal) =>
      (await consumer.read(room, signal)).map((delivery) =>
        Object.defineProperty(delivery, 'key', { value: undefined }),
      ),
  })),
}

export const readsWithoutBound: Bug = {
  about: 'reads a hundred times what there is room for',
  scenario: 'F13',
  transport: consumers((consumer) => ({
    read: (room, signal) => consumer.read({ messages: room.messages * 100, bytes: room.bytes * 100 }, signal),
  })),
}
