import { nats } from '@evt/servers'
import { transportCases } from './transport-cases.ts'

jest.setTimeout(120_000)

nats.describe('on NATS', () => {
  const cases = { variable: 'EVT_NATS_URL', server: nats, startOwn: () => nats.start() }
  transportCases({ ...cases, transport: 'jetstream' })
  transportCases({ ...cases, transport: 'nats', lossy: true })
})
