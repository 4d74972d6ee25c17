import { AckPolicy, connect, type NatsConnection } from 'nats'
import { nats, natsFloor } from '../src/index.ts'

async function once<Result>(servers: string, work: (connection: NatsConnection) => Promise<Result>): Promise<Result> {
  const connection = await connect({ servers, reconnect: false })
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}

for (const server of [nats, natsFloor]) {
  server.describe(`a test's ${server.name}`, () => {
    it('stores what is published and hands it to a consumer, under names that go when they are dropped', async () => {
      const { url, prefix, drop } = await server.fresh()
      await once(url, async (connection) => {
        const manager = await connection.jetstreamManager()
        await manager.streams.add({ name: `${prefix}_orders`, subjects: [`${prefix}.orders.>`] })
        await manager.consumers.add(`${prefix}_orders`, { durable_name: 'workers', ack_policy: AckPolicy.Explicit })
        const stream = connection.jetstream()
        expect(await stream.publish(`${prefix}.orders.created`, 'hello')).toMatchObject({ seq: 1, duplicate: false })
        const consumer = await stream.consumers.get(`${prefix}_orders`, 'workers')
        const message = await consumer.next()
        expect(message?.string()).toBe('hello')
        expect(await message?.ackAck()).toBe(true)
        await drop()
        await expect(manager.streams.info(`${prefix}_orders`)).rejects.toThrow('stream not found')
      })
    })

    it('starts a private server that keeps its streams over a crash, and stops', async () => {
      const { url, kill, restart, stop } = await server.start()
      const count = () =>
        once(url, async (connection) => (await (await connection.jetstreamManager()).streams.info('S')).state.messages)
      await once(url, async (connection) => {
        await (await connection.jetstreamManager()).streams.add({ name: 'S', subjects: ['s'] })
        await connection.jetstream().publish('s', 'kept')
      })
      await kill()
      await expect(count()).rejects.toThrow('CONNECTION_REFUSED')
      await restart()
      expect(await count()).toBe(1)
      await restart({ kill: true })
      expect(await count()).toBe(1)
      await stop()
      await expect(count()).rejects.toThrow('CONNECTION_REFUSED')
    })
  })
}

natsFloor.describe('the oldest NATS', () => {
  it('is of the 2.9 series', async () => {
    const { url } = await natsFloor.fresh()
    expect(await once(url, async (connection) => connection.info?.version)).toMatch(/^2\.9\./)
  })
})
