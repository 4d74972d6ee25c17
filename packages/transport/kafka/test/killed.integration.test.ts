import { killedCases } from '@evt/killed'
import { kafka } from '@evt/servers'
import { kafkaTransport } from '../src/index.ts'

kafka.describe('members of groups over the Kafka transport', () => {
  const cases = killedCases({
    program: new URL('member-process.ts', import.meta.url),
    leaseMs: 30_000,
    async create() {
      const { brokers, prefix, drop } = await kafka.fresh()
      const transport = kafkaTransport({ brokers, prefix: `${prefix}.`, partitions: 1 })
      return { transport, address: [brokers[0]!, `${prefix}.`], drop }
    },
  })
  for (const { name, run } of cases) test(name, run, 90_000)
})
