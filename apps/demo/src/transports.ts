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

/** What `--transport` may name. */
export const transports: Readonly<Record<string, TransportChoice>> = {
  memory: {
    address: undefined,
    open: async () => ({ transport: memoryTransport({ confirm: 'settled' }), close: async () => undefined }),
  },
}

/** How to open a transport, or `EVT_OPTION_INVALID` where there is none of that name or its server is not named. */
export function chooseTransport(
  name: string,
  addresses: Addresses,
  choices: Readonly<Record<string, TransportChoice>> = transports,
): () => Promise<OpenedTransport> {
  const choice = Object.hasOwn(choices, name) ? choices[name] : undefined
  if (choice === undefined)
    throw invalidOption('--transport', `expected ${Object.keys(choices).join(', ')}, not "${name}"`)
  const address = choice.address === undefined ? '' : addresses[choice.address]
  if (address === undefined)
    throw invalidOption('--transport', `"${name}" needs ${choice.address} in the file given with --env`)
  return () => choice.open(address)
}
