import { killedCases } from '@evt/killed'
import { redis } from '@evt/servers'
import { redisTransport } from '../src/index.ts'
import { testPlace } from './test-place.ts'

redis.describe('members of groups over the Redis transport', () => {
  const cases = killedCases({
    program: new URL('member-process.ts', import.meta.url),
    leaseMs: 1_500,
    async create() {
      const { url, prefix, drop } = await redis.fresh()
      const place = testPlace(url, prefix)
      return {
        transport: redisTransport({ client: place.connect(), prefix }),
        address: [url, prefix],
        async drop() {
          place.close()
          await drop()
        },
      }
    },
  })
  for (const { name, run } of cases) test(name, run, 90_000)
})
