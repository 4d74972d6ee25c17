import type { Transport } from '@evt/core'
import { transportCases } from '@evt/core/conformance'
import { redis } from '@evt/servers'
import { Redis } from 'ioredis'
import { redisTransport } from '../src/index.ts'

redis.describe('the Redis transport', () => {
  const places = new Map<Transport, { readonly clients: Redis[]; readonly prefix: string; drop(): Promise<void> }>()
  const connect = (url: string, prefix: string) => {
    const client = new Redis(url)
    client.on('error', () => undefined)
    return { client, transport: redisTransport({ client, prefix }) }
  }
  const cases = transportCases({
    async create() {
      const place = await redis.fresh()
      const { client, transport } = connect(place.url, place.prefix)
      places.set(transport, { clients: [client], prefix: place.prefix, drop: () => place.drop() })
      return transport
    },
    async join(first) {
      const { clients, prefix } = places.get(first)!
      const { client, transport } = connect(process.env.EVT_REDIS_URL!, prefix)
      clients.push(client)
      return transport
    },
    async dispose(transport) {
      const place = places.get(transport)!
      places.delete(transport)
      for (const client of place.clients) client.disconnect()
      await place.drop()
    },
  })
  for (const { name, run } of cases) test(name, run, 60_000)
})
