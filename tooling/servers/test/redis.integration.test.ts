import { Redis } from 'ioredis'
import { redis } from '../src/index.ts'

redis.describe("a test's Redis", () => {
  it('delivers from a stream to a group, under names that go when they are dropped', async () => {
    const place = await redis.fresh()
    const client = new Redis(place.url)
    const stream = `${place.prefix}:orders`
    await client.xgroup('CREATE', stream, 'workers', '$', 'MKSTREAM')
    await client.xadd(stream, '*', 'payload', 'hello')
    const read = await client.xreadgroup('GROUP', 'workers', 'one', 'COUNT', 10, 'STREAMS', stream, '>')
    expect(read).toEqual([[stream, [[expect.any(String), ['payload', 'hello']]]]])
    await place.drop()
    expect(await client.exists(stream)).toBe(0)
    await client.quit()
  })

  it('starts a private server that keeps what it acknowledged over a crash, and stops', async () => {
    const server = await redis.start({ settings: { appendonly: 'yes', appendfsync: 'always' } })
    const once = async <Result>(work: (client: Redis) => Promise<Result>) => {
      const client = new Redis(server.url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 })
      client.on('error', () => undefined)
      try {
        await client.connect()
        return await work(client)
      } finally {
        client.disconnect()
      }
    }
    await once((client) => client.set('note', 'kept'))
    await server.kill()
    await expect(once((client) => client.ping())).rejects.toThrow()
    await server.restart()
    expect(await once((client) => client.get('note'))).toBe('kept')
    await server.restart({ kill: true })
    expect(await once((client) => client.get('note'))).toBe('kept')
    await server.stop()
    await expect(once((client) => client.ping())).rejects.toThrow()
  })
})
