import type { Outgoing, Settlement, Transport, TransportDelivery } from '@evt/core'
import { wrapConsumers, wrapTransport } from './wrap-transport.ts'

/** What has passed through a transport. */
export interface Recorded {
  /** Messages the transport accepted, in order. */
  readonly published: readonly Outgoing[]
  readonly delivered: readonly { readonly consumer: string; readonly delivery: TransportDelivery }[]
  /** Settlements that had an effect, in order. */
  readonly settled: readonly { readonly consumer: string; readonly settlement: Settlement }[]
}

/** Keeps what passes through a transport and changes nothing. */
export function recording<Wrapped extends Transport>(transport: Wrapped): Wrapped & { readonly recorded: Recorded } {
  const published: Outgoing[] = []
  const delivered: { consumer: string; delivery: TransportDelivery }[] = []
  const settled: { consumer: string; settlement: Settlement }[] = []
  return wrapTransport(transport, {
    recorded: { published, delivered, settled },
    async publish(batch) {
      const failures = await transport.publish(batch)
      const failed = new Set(failures.map((failure) => failure.index))
      published.push(...batch.filter((_outgoing, index) => !failed.has(index)))
      return failures
    },
    consume: wrapConsumers(transport, (consumer, spec) => ({
      async read(room, signal) {
        const read = await consumer.read(room, signal)
        for (const delivery of read) delivered.push({ consumer: spec.consumer, delivery })
        return read
      },
      async settle(batch) {
        const refusals = await consumer.settle(batch)
        const refused = new Set(refusals.map((refusal) => refusal.delivery))
        for (const settlement of batch)
          if (!refused.has(settlement.delivery)) settled.push({ consumer: spec.consumer, settlement })
        return refusals
      },
    })),
  })
}
