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
  /** Connections to the broker that one program holds, at most. */
  readonly connections: number
  /** How long what a killed process held stays with it, beyond its leases. */
  readonly takeoverMs: number
  /** What it takes of one message, where that is less than the bus allows. */
  readonly largestBytes?: number
  /** Whether its transport may be told to leave alone what is missing on the broker. */
  readonly failsOnMissing?: true
  /** Imports its package only now, so that a program loads what it uses and nothing else. */
  open(url: string, clock: Clock, settings?: StageSettings): Promise<OpenedTransport>
}

/** The least that Kafka allows: whoever is killed keeps its partitions for so long. */
const sessionMs = 6_000

/** What `--transport` may name. */
export const stages: Readonly<Record<string, Stage>> = {
  memory: {
    broker: undefined,
    transportName: 'memory',
    apart: false,
    order: 'group',
    connections: 0,
    takeoverMs: 0,
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
    connections: 8,
    takeoverMs: 0,
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
    connections: 4,
    takeoverMs: 0,
    failsOnMissing: true,
    async open(url, clock, { onMissing } = {}) {
      const [{ Redis }, { redisTransport }] = await Promise.all([import('ioredis'), import('@evt/transport-redis')])
      // As the transport asks for: a connection that swallows everything is given up.
      const client = new Redis(url, { keepAlive: 5_000, socketTimeout: 3_000 })
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
    connections: 1,
    takeoverMs: 0,
    failsOnMissing: true,
    // Of a server with its default limit of 1 MiB, less what a dead letter may add.
    largestBytes: 1_048_576 - 16_384,
    async open(url, clock, { onMissing } = {}) {
      const [{ connect }, { jetstreamTransport }] = await Promise.all([import('nats'), import('@evt/transport-nats')])
      // A program that is started while the server is away waits for it.
      const forEver = { maxReconnectAttempts: -1, reconnectTimeWait: 250, waitOnFirstConnect: true }
      const connection = () => connect({ servers: url, ...forEver })
      return { transport: jetstreamTransport({ connection, clock, onMissing }), close: async () => undefined }
    },
  },
  kafka: {
    broker: 'kafka',
    transportName: 'kafka',
    apart: true,
    order: 'group',
    connections: 14,
    takeoverMs: sessionMs,
    largestBytes: 1_000_000,
    async open(url, clock) {
      const { kafkaTransport } = await import('@evt/transport-kafka')
      const transport = kafkaTransport({ brokers: [new URL(url).host], sessionMs, clock })
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
