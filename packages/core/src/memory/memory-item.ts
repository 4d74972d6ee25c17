import type { Rostered } from '../roster.ts'
import type { Headers, Outgoing, TransportDelivery } from '../transport.ts'
import type { MemoryMessage } from './memory-message.ts'

const nothing = new Uint8Array(0)

export interface Lease extends Rostered {
  readonly item: MemoryItem
  readonly holder: object
  expiresMs: number
}

/** A message as one group sees it, and its delivery where a handler of this process runs it without a lease. */
export class MemoryItem implements TransportDelivery {
  readonly message: MemoryMessage
  attempt = 1
  deliveries = 0
  suspect = false
  started = false
  /** Each hand-over has its own lease, so a late settlement is told apart. */
  lease: Lease | undefined

  constructor(message: MemoryMessage) {
    this.message = message
  }
  /** The same message for its further way: what was handed out as a delivery must not change any more. */
  again(): MemoryItem {
    const item = new MemoryItem(this.message)
    item.attempt = this.attempt
    item.deliveries = this.deliveries
    return item
  }
  get headers(): Headers {
    return this.message.outgoing.headers
  }
  get payload(): Uint8Array {
    return this.message.outgoing.payload
  }
  get value(): unknown {
    return this.message.outgoing.value
  }
  get key(): string | undefined {
    return this.message.outgoing.key
  }
  get partition(): number {
    return 0
  }
  get position(): string {
    return this.message.position
  }
  get leaseMs(): number {
    return Number.POSITIVE_INFINITY
  }
  get receipt(): Lease | undefined {
    return this.lease
  }
  get '~outgoing'(): Outgoing {
    return this.message.outgoing
  }
}

/** A delivery that stays as it is, whatever becomes of the message. */
export function leasedDelivery(item: MemoryItem, lease: Lease, leaseMs: number): TransportDelivery {
  const { outgoing } = item.message
  return {
    headers: outgoing.headers,
    payload: outgoing.value === undefined ? outgoing.payload : nothing,
    value: outgoing.value,
    key: outgoing.key,
    partition: 0,
    position: item.position,
    attempt: item.attempt,
    deliveries: item.deliveries,
    suspect: item.suspect,
    leaseMs,
    receipt: lease,
  }
}
