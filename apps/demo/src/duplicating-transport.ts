import type { Transport } from '@evt/core'
import { strikes } from './random.ts'

/** Delivers 1 % of the messages twice, as brokers do at the wrong moment. */
export function duplicatingTransport(transport: Transport): Transport {
  return {
    ...transport,
    async publish(batch, ...rest) {
      const again = batch.filter((message) => strikes(message.id, 'duplicate', 0.01))
      const published = transport.publish(batch, ...rest)
      if (again.length > 0) await transport.publish(again, ...rest)
      return published
    },
  }
}
