import type { Transport } from '@evt/core'
import { transportCases } from '@evt/core/conformance'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { type PgTransport, pgTransport } from '../src/index.ts'

const databases = new Map<Transport, FreshDatabase>()

describe('the PostgreSQL transport', () => {
  const cases = transportCases({
    async create() {
      const database = await freshDatabase()
      const transport: PgTransport = pgTransport({ pool: database.pool, listen: database.pool })
      await transport.migrate()
      databases.set(transport, database)
      return transport
    },
    async join(transport) {
      const { pool } = databases.get(transport)!
      return pgTransport({ pool, listen: pool })
    },
    async dispose(transport) {
      await transport.close()
      await databases.get(transport)!.drop()
      databases.delete(transport)
    },
  })
  for (const { name, run } of cases) test(name, run, 60_000)
})
