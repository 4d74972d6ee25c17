import type { Transport } from '@evt/core'
import { transportCases } from '@evt/core/conformance'
import { type FreshKafka, kafka } from '@evt/servers'
import { kafkaTransport } from '../src/index.ts'

kafka.describe('the Kafka transport', () => {
  const places = new Map<Transport, FreshKafka>()
  const over = ({ brokers, prefix }: FreshKafka) => kafkaTransport({ brokers, prefix: `${prefix}.` })
  const cases = transportCases({
    async create() {
      const place = await kafka.fresh()
      const transport = over(place)
      places.set(transport, place)
      return transport
    },
    join: async (transport) => over(places.get(transport)!),
    async dispose(transport) {
      await transport.close()
      await places.get(transport)!.drop()
      places.delete(transport)
    },
  })
  for (const { name, run } of cases) test(name, run, 120_000)
})
