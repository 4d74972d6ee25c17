import { invalidOption, memoryTransport, type Transport } from '@evt/core'
import type { Addresses, AddressName } from './addresses.ts'

/** A transport with what ends the client that was made for it. */
export interface OpenedTransport {
  readonly transport: Transport
  close(): Promise<void>
}
export interface TransportChoice {
  /** Which server it needs, if any. */
  readonly address: AddressName | undefined
  /** Imports its package only now, so that the demo loads what it uses and nothing else. */
  open(address: string): Promise<OpenedTransport>
}

const pgConnections = 16

/** What `--transport` may name. */
export const transports: Readonly<Record<string, TransportChoice>> = {
  memory: {
    address: undefined,
    open: async () => ({ transport: memoryTransport({ confirm: 'settled' }), close: async () => undefined }),
  },
  pg: {
    address: 'EVT_PG_URL',
    async open(url) {
      const [{ default: pg }, { pgTransport }] = await Promise.all([import('pg'), import('@evt/transport-pg')])
      const pool = new pg.Pool({ connectionString: url, max: pgConnections })
      // For all its life: while the pool hands a connection over nobody else listens.
      pool.on('connect', (client) => client.on('error', () => undefined))
      pool.on('error', () => undefined)
      const transport = pgTransport({ pool, listen: pool })
      await transport.migrate()
      return { transport, close: () => pool.end() }
    },
  },
}

/**
 * How to open a transport, given the PostgreSQL that the demo has in any case; or `EVT_OPTION_INVALID` where there is none of
 * that name or its server is not named.
 */
export function chooseTransport(
  name: string,
  addresses: Addresses,
  choices: Readonly<Record<string, TransportChoice>> = transports,
): (postgres: string) => Promise<OpenedTransport> {
  const choice = Object.hasOwn(choices, name) ? choices[name] : undefined
  if (choice === undefined)
    throw invalidOption('--transport', `expected ${Object.keys(choices).join(', ')}, not "${name}"`)
  const { address } = choice
  if (address === 'EVT_PG_URL') return (postgres) => choice.open(postgres)
  const url = address === undefined ? '' : addresses[address]
  if (url === undefined) throw invalidOption('--transport', `"${name}" needs ${address} in the file given with --env`)
  return () => choice.open(url)
}
