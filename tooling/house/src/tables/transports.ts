import { memoryTransport, type Transport } from '@evt/core'
import { kafkaTransport } from '@evt/transport-kafka'
import { jetstreamTransport, natsTransport } from '@evt/transport-nats'
import { pgTransport } from '@evt/transport-pg'
import { redisTransport } from '@evt/transport-redis'
import { Redis } from 'ioredis'

const notConnecting = () => Promise.reject(new Error('a sample does not connect'))

/**
 * One transport of every kind, by the leaf of its path, made without connecting: only `supports` is read. A package
 * below `packages/transport` adds its line here.
 */
export const transports: Readonly<Record<string, () => Transport>> = {
  memory: () => memoryTransport(),
  kafka: () => kafkaTransport({ brokers: ['localhost:9092'] }),
  redis: () => redisTransport({ client: new Redis({ lazyConnect: true }) }),
  pg: () => pgTransport({ pool: { connect: notConnecting } }),
  nats: () => natsTransport({ connection: notConnecting }),
  jetstream: () => jetstreamTransport({ connection: notConnecting }),
}
