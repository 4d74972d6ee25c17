import { randomUUID } from 'node:crypto'
import type { Transport } from '@evt/core'
import { transportCases } from '@evt/core/conformance'
import { type RunningServer, redis } from '@evt/servers'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis-5'
import { redisTransport } from '../src/index.ts'

interface Place {
  readonly url: string
  readonly prefix: string
  drop(): Promise<void>
}

/** Transports at places of their own, with everything they opened. */
function factoryOf(clientOf: (url: string) => Redis | Redis5, fresh: () => Promise<Place>) {
  const places = new Map<Transport, Place & { readonly clients: (Redis | Redis5)[] }>()
  const connect = ({ url, prefix }: Place) => {
    const client = clientOf(url)
    // The server is restarted on purpose; whoever waits for an answer is told.
    client.on('error', () => undefined)
    return { client, transport: redisTransport({ client, prefix }) }
  }
  return {
    async create() {
      const place = await fresh()
      const { client, transport } = connect(place)
      places.set(transport, { ...place, drop: () => place.drop(), clients: [client] })
      return transport
    },
    async join(first: Transport) {
      const place = places.get(first)!
      const { client, transport } = connect(place)
      place.clients.push(client)
      return transport
    },
    async dispose(transport: Transport) {
      const place = places.get(transport)!
      places.delete(transport)
      for (const client of place.clients) client.disconnect()
      await place.drop()
    },
  }
}

for (const [version, clientOf] of [
  [6, (url: string) => new Redis(url)],
  [5, (url: string) => new Redis5(url)],
] as const) {
  redis.describe(`the Redis transport with ioredis ${version}`, () => {
    for (const { name, run } of transportCases(factoryOf(clientOf, () => redis.fresh()))) test(name, run, 60_000)
  })
}

redis.describe('the Redis transport over a server that writes everything to disk', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await redis.start({ settings: { appendonly: 'yes', appendfsync: 'always' } })
  }, 60_000)
  afterAll(() => server.stop())

  for (const kill of [false, true]) {
    const factory = factoryOf(
      (url) => new Redis(url),
      async () => ({
        url: server.url,
        prefix: `evt${randomUUID()}`,
        drop: async () => undefined,
      }),
    )
    const cases = transportCases({ ...factory, restart: () => server.restart({ kill }) })
    const [restarts] = cases.filter(({ name }) => name.includes('restarts of the server'))
    test(`${restarts!.name}, ${kill ? 'by a crash' : 'gracefully'}`, restarts!.run, 120_000)
  }
})
