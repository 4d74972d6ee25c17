import { type Clock, memoryTransport, type Transport } from '@evt/core'

export type BrokerName = 'postgres' | 'redis' | 'nats' | 'kafka'

/** A transport with what ends the client that was made for it. */
export interface OpenedTransport {
  readonly transport: Transport
  close(): Promise<void>
}
/** What a scenario may ask of a stage's transport. */
export interface StageSettings {
  /** Where the stage `failsOnMissing`. */
  readonly onMissing?: 'fail' | undefined
}
/** A transport that the whole suite runs on, behind the outbox of the store. */
export interface Stage {
  /** The server it needs beside the store's, if any. */
  readonly broker: BrokerName | undefined
  /** As its transport calls itself in rows of the outbox. */
  readonly transportName: string
  /** Whether messages reach other processes: then relay and consumers are apart, and publishers also publish directly. */
  readonly apart: boolean
  /** How far order within a key reaches. */
  readonly order: 'process' | 'group'
  /** Whether its transport may be told to leave alone what is missing on the broker. */
  readonly failsOnMissing?: true
  /** Imports its package only now, so that a program loads what it uses and nothing else. */
  open(url: string, clock: Clock, settings?: StageSettings): Promise<OpenedTransport>
}

/** What `--transport` may name. */
export const stages: Readonly<Record<string, Stage>> = {
  memory: {
    broker: undefined,
    transportName: 'memory',
    apart: false,
    order: 'group',
    open: async (_url, clock) => ({
      transport: memoryTransport({ confirm: 'settled', clock }),
      close: async () => undefined,
    }),
  },
  pg: {
    broker: 'postgres',
    transportName: 'pg',
    apart: true,
    order: 'process',
    async open(url, clock) {
      const [{ default: pg }, { pgTransport }] = await Promise.all([import('pg'), import('@evt/transport-pg')])
      const pool = new pg.Pool({ connectionString: url, max: 8, connectionTimeoutMillis: 5_000, query_timeout: 10_000 })
      // For all its life: while the pool hands a connection over nobody else listens.
      pool.on('connect', (client) => client.on('error', () => undefined))
      pool.on('error', () => undefined)
      const transport = pgTransport({ pool, listen: pool, clock })
      await transport.migrate()
      return { transport, close: () => pool.end() }
    },
  },
  redis: {
    broker: 'redis',
    transportName: 'redis',
    apart: true,
    order: 'process',
    failsOnMissing: true,
    async open(url, clock, { onMissing } = {}) {
      const [{ Redis }, { redisTransport }] = await Promise.all([import('ioredis'), import('@evt/transport-redis')])
      const client = new Redis(url)
      client.on('error', () => undefined)
      return {
        transport: redisTransport({ client, clock, onMissing }),
        close: async () => client.disconnect(),
      }
    },
  },
  jetstream: {
    broker: 'nats',
    transportName: 'jetstream',
    apart: true,
    order: 'process',
    async open(url, clock) {
      const [{ connect }, { jetstreamTransport }] = await Promise.all([import('nats'), import('@evt/transport-nats')])
      // A program that is started while the server is away waits for it.
      const forEver = { maxReconnectAttempts: -1, reconnectTimeWait: 250, waitOnFirstConnect: true }
      const connection = () => connect({ servers: url, ...forEver })
      return { transport: jetstreamTransport({ connection, clock }), close: async () => undefined }
    },
  },
  kafka: {
    broker: 'kafka',
    transportName: 'kafka',
    apart: true,
    order: 'group',
    async open(url, clock) {
      const { kafkaTransport } = await import('@evt/transport-kafka')
      // The least there is: whoever is killed keeps its partitions for so long.
      const transport = kafkaTransport({ brokers: [new URL(url).host], sessionMs: 6_000, clock })
      return { transport, close: async () => undefined }
    },
  },
}

/** What `--store` may name. */
export const stores: readonly string[] = ['pg']

export function stageOf(name: string): Stage {
  const stage = Object.hasOwn(stages, name) ? stages[name] : undefined
  if (stage === undefined) throw new Error(`--transport takes ${Object.keys(stages).join(', ')}, not "${name}"`)
  return stage
}
