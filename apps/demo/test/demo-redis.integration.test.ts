import { redis } from '@evt/servers'
import { transportCases } from './transport-cases.ts'

jest.setTimeout(120_000)

const settings = { appendonly: 'yes', appendfsync: 'always' }

redis.describe('on Redis', () => {
  const startOwn = () => redis.start({ settings })
  transportCases({ transport: 'redis', variable: 'EVT_REDIS_URL', server: redis, startOwn })
})
