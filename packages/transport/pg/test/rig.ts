import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { type PgTransport, pgTransport } from '../src/index.ts'

/** A database of its own for each test of a file, and a transport over it. */
export function freshTransport(): { readonly database: FreshDatabase; readonly transport: PgTransport } {
  let database: FreshDatabase
  let transport: PgTransport
  beforeEach(async () => {
    database = await freshDatabase()
    transport = pgTransport({ pool: database.pool, pollMs: 50 })
    await transport.migrate()
  })
  afterEach(async () => {
    await transport.close()
    await database.drop()
  })
  return {
    get database() {
      return database
    },
    get transport() {
      return transport
    },
  }
}
