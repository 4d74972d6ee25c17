import { memoryTransport, type Transport } from '@evt/core'
import { jetstreamTransport, natsTransport } from '@evt/transport-nats'

const notConnecting = () => Promise.reject(new Error('a sample does not connect'))

/**
 * One transport of every kind, by the leaf of its path, made without connecting: only `supports` is read. A package
 * below `packages/transport` adds its line here.
 */
export const transports: Readonly<Record<string, () => Transport>> = {
  memory: () => memoryTransport(),
  nats: () => natsTransport({ connection: notConnecting }),
  jetstream: () => jetstreamTransport({ connection: notConnecting }),
}
