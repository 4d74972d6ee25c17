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
export class LeasedDelivery implements TransportDelivery {
  readonly attempt: number
  readonly deliveries: number
  readonly suspect: boolean
  readonly leaseMs: number
  readonly receipt: Lease
  readonly #message: MemoryMessage

  constructor(item: MemoryItem, lease: Lease, leaseMs: number) {
    this.attempt = item.attempt
    this.deliveries = item.deliveries
    this.suspect = item.suspect
    this.leaseMs = leaseMs
    this.receipt = lease
    this.#message = item.message
  }
  get headers(): Headers {
    return this.#message.outgoing.headers
  }
  /** Empty for what goes by reference. */
  get payload(): Uint8Array {
    const { outgoing } = this.#message
    return outgoing.value === undefined ? outgoing.payload : nothing
  }
  get value(): unknown {
    return this.#message.outgoing.value
  }
  get key(): string | undefined {
    return this.#message.outgoing.key
  }
  get partition(): number {
    return 0
  }
  get position(): string {
    return this.#message.position
  }
  get '~outgoing'(): Outgoing {
    return this.#message.outgoing
  }
}
