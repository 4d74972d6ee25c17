import { redis } from '@evt/servers'
import { Redis } from 'ioredis'

/** Names of its own on the run's Redis, and connections that end with it. */
export interface RedisPlace {
  readonly url: string
  readonly prefix: string
  connect(): Redis
  drop(): Promise<void>
}

export async function redisPlace(): Promise<RedisPlace> {
  const { url, prefix, drop } = await redis.fresh()
  const connections: Redis[] = []
  return {
    url,
    prefix,
    connect() {
      const connection = new Redis(url)
      connections.push(connection)
      return connection
    },
    async drop() {
      for (const connection of connections) connection.disconnect()
      await drop()
    },
  }
}
