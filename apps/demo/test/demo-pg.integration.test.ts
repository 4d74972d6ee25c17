import { postgres } from '@evt/servers'
import { transportCases } from './transport-cases.ts'

jest.setTimeout(120_000)

postgres.describe('on PostgreSQL', () => {
  transportCases({ transport: 'pg', variable: 'EVT_PG_URL', server: postgres, startOwn: () => postgres.start() })
})
