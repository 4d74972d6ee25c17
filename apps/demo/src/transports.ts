import { invalidOption, memoryTransport, type Transport } from '@evt/core'
import type { Addresses, AddressName } from './addresses.ts'
import type { Database } from './database.ts'
import type { DemoOutbox } from './duplicating-outbox.ts'

/** A transport with what ends the client that was made for it. */
export interface OpenedTransport {
  readonly transport: Transport
  /** Where the transport publishes in transactions of the database by itself. */
  readonly outbox?: DemoOutbox
  close(): Promise<void>
}
type Open = (database: Pick<Database, 'pool' | 'prepared'>) => Promise<OpenedTransport>
export interface TransportChoice {
  /** Which server it needs besides the database, if any. */
  readonly address: AddressName | undefined
  /** Whether services in several processes can share it. */
  readonly shared: boolean
  /** Imports its package only now, so that the demo loads what it uses and nothing else. */
  open(address: string, database: Pick<Database, 'pool' | 'prepared'>): Promise<OpenedTransport>
}

const nothing = async () => undefined

/** What `--transport` may name. */
export const transports: Readonly<Record<string, TransportChoice>> = {
  memory: {
    address: undefined,
    shared: false,
    open: async () => ({ transport: memoryTransport({ confirm: 'settled' }), close: nothing }),
  },
  pg: {
    address: undefined,
    shared: true,
    async open(_address, { pool, prepared }) {
      const { pgTransport } = await import('@evt/transport-pg')
      const transport = pgTransport({ pool: prepared, listen: pool })
      await transport.migrate()
      return { transport, outbox: transport, close: nothing }
    },
  },
  redis: {
    address: 'EVT_REDIS_URL',
    shared: true,
    async open(url) {
      const [{ Redis }, { redisTransport }] = await Promise.all([import('ioredis'), import('@evt/transport-redis')])
      const client = new Redis(url)
      // Whoever waits for an answer is told.
      client.on('error', () => undefined)
      return { transport: redisTransport({ client }), close: async () => client.disconnect() }
    },
  },
  nats: {
    address: 'EVT_NATS_URL',
    shared: true,
    async open(url) {
      const { natsTransport } = await import('@evt/transport-nats')
      return { transport: natsTransport({ connection: await natsConnection(url) }), close: nothing }
    },
  },
  jetstream: {
    address: 'EVT_NATS_URL',
    shared: true,
    async open(url) {
      const { jetstreamTransport } = await import('@evt/transport-nats')
      return { transport: jetstreamTransport({ connection: await natsConnection(url) }), close: nothing }
    },
  },
  kafka: {
    address: 'EVT_KAFKA_URL',
    shared: true,
    async open(url) {
      const { kafkaTransport } = await import('@evt/transport-kafka')
      const brokers = url.replace(/^kafka:\/\//, '').split(',')
      return {
        transport: kafkaTransport({ brokers, partitions: kafkaPartitions, sessionMs: kafkaSessionMs }),
        close: nothing,
      }
    },
  },
}
const kafkaPartitions = 4
/** After a kill the next run waits so long for the dead one's place in the group. */
const kafkaSessionMs = 6_000

/** How to make a connection that the transport makes and closes. */
async function natsConnection(servers: string) {
  const { connect } = await import('nats')
  return () => connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 200, waitOnFirstConnect: true })
}

/** How to open a transport, or `EVT_OPTION_INVALID` where there is none of that name or it cannot be had like this. */
export function chooseTransport(
  name: string,
  addresses: Addresses,
  split: boolean,
  choices: Readonly<Record<string, TransportChoice>> = transports,
): Open {
  const choice = Object.hasOwn(choices, name) ? choices[name] : undefined
  if (choice === undefined)
    throw invalidOption('--transport', `expected ${Object.keys(choices).join(', ')}, not "${name}"`)
  const { address, shared } = choice
  if (split && !shared) throw invalidOption('--services', `services in several processes cannot share "${name}"`)
  if (split && addresses.EVT_PG_URL === undefined)
    throw invalidOption('--services', 'services in several processes need the servers of a file given with --env')
  const url = address === undefined ? '' : addresses[address]
  if (url === undefined) throw invalidOption('--transport', `"${name}" needs ${address} in the file given with --env`)
  return (database) => choice.open(url, database)
}
