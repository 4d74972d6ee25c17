import { killedCases } from '@evt/killed'
import { postgres } from '@evt/servers'
import { pgTransport } from '../src/index.ts'

postgres.describe('members of groups over the PostgreSQL transport', () => {
  const cases = killedCases({
    program: new URL('member-process.ts', import.meta.url),
    leaseMs: 1_500,
    async create() {
      const { url, pool, drop } = await postgres.fresh()
      const transport = pgTransport({ pool })
      await transport.migrate()
      return { transport, address: [url], drop }
    },
  })
  for (const { name, run } of cases) test(name, run, 90_000)
})
