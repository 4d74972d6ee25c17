import { kafka } from '@evt/servers'
import { transportCases } from './transport-cases.ts'

jest.setTimeout(240_000)

kafka.describe('on Kafka', () => {
  transportCases({ transport: 'kafka', variable: 'EVT_KAFKA_URL', server: kafka, startOwn: () => kafka.start() })
})
