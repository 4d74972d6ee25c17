import type { Transport } from '@evt/core'
import { transportCases } from '@evt/core/conformance'
import { kafka, type RunningServer } from '@evt/servers'
import { kafkaTransport } from '../src/index.ts'

kafka.describe('the Kafka transport, over a broker that goes away', () => {
  let server: RunningServer
  let made = 0
  beforeAll(async () => {
    server = await kafka.start()
  }, 60_000)
  afterAll(async () => {
    await server.stop()
  }, 60_000)
  const create = async (): Promise<Transport> => {
    made += 1
    return kafkaTransport({ brokers: [new URL(server.url).host], prefix: `place${made}.` })
  }
  const known = new Set(transportCases({ create }).map(({ name }) => name))
  const ways: [string, () => Promise<void>][] = [
    ['restarted gracefully', () => server.restart()],
    ['killed and started again', () => server.restart({ kill: true })],
  ]
  for (const [way, restart] of ways) {
    for (const { name, run } of transportCases({ create, restart }).filter((each) => !known.has(each.name))) {
      test(`${way}: ${name}`, run, 180_000)
    }
  }
})
