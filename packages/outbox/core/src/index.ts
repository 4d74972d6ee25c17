import './errors.ts'

export type { Lease, OutboxRow, OutboxStore, Position, ReadRange } from './outbox-store.ts'
export { createRelay, type Relay, type RelayOptions, relayOptionNames } from './relay.ts'
