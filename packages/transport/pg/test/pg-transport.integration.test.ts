import type { Transport } from '@evt/core'
import { type TransportFactory, transportCases } from '@evt/core/conformance'
import { type FreshDatabase, postgres, postgres15, type RunningServer } from '@evt/servers'
import pg from 'pg'
import { pgTransport } from '../src/index.ts'

const places = new Map<Transport, Pick<FreshDatabase, 'pool' | 'drop'>>()
const factoryOver = (place: () => Promise<Pick<FreshDatabase, 'pool' | 'drop'>>): TransportFactory => ({
  async create() {
    const database = await place()
    const transport = pgTransport({ pool: database.pool, listen: database.pool })
    await transport.migrate()
    places.set(transport, database)
    return transport
  },
  async join(transport) {
    const { pool } = places.get(transport)!
    return pgTransport({ pool, listen: pool })
  },
  async dispose(transport) {
    await transport.close()
    await places.get(transport)!.drop()
    places.delete(transport)
  },
})

for (const server of [postgres, postgres15]) {
  server.describe(`the PostgreSQL transport on ${server.name}`, () => {
    for (const { name, run } of transportCases(factoryOver(() => server.fresh()))) test(name, run, 60_000)
  })
}

postgres.describe('the PostgreSQL transport over a server of its own', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await postgres.start()
  }, 60_000)
  afterAll(() => server.stop())
  const factory = factoryOver(async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 20 })
    pool.on('error', () => undefined)
    return { pool, drop: () => pool.end() }
  })
  const shared = new Set(transportCases(factory).map(({ name }) => name))
  for (const kill of [false, true]) {
    const cases = transportCases({ ...factory, restart: () => server.restart({ kill }) })
    for (const { name, run } of cases) {
      if (!shared.has(name)) test(`${name}, ${kill ? 'killed' : 'gracefully'}`, run, 120_000)
    }
  }
})
