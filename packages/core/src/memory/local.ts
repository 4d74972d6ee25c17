import type { Clock } from '../clock.ts'
import type { Consumer, Outgoing, Transport, TransportDelivery } from '../transport.ts'
import type { MemoryItem } from './memory-item.ts'
import type { MemoryMessage } from './memory-message.ts'

/** What a bus may do with a memory transport of its own process beyond the contract: publish without waiting. */
export interface LocalTransport {
  readonly clock: Clock
  /** Whether a publish waits until every durable group has settled the message. */
  readonly isSettled: boolean
  /** Its own: where somebody has put another in its place, that one is called. */
  readonly publish: Transport['publish']
  /** Takes a message at once, or answers undefined where it must wait, be dropped or be refused. */
  accept(outgoing: Outgoing, nowMs: number | undefined): MemoryMessage | undefined
}

/** What a pump may do with a consumer of such a transport: run messages without reads, leases and settlements. */
export interface LocalConsumer {
  attach(receiver: LocalReceiver): void
  detach(receiver: LocalReceiver): void
  /** Whether `next` may find something. */
  hasNext(): boolean
  /** The next message that waits, running from now on. */
  next(): MemoryItem | undefined
  acknowledge(item: MemoryItem): void
  /** Makes a message that runs one that is leased, as if it had been read. */
  lease(item: MemoryItem): TransportDelivery
}
export interface LocalReceiver {
  /** Something may be there: takes what may start now. */
  receive(): void
  /** What runs since `next` gave it, and is neither acknowledged nor leased. */
  running(): readonly MemoryItem[]
}

// Known by identity: whoever wraps a transport or consumer, also by copying it, is asked through the contract alone.
const transports = new WeakMap<Transport, LocalTransport>()
const consumers = new WeakMap<Consumer, LocalConsumer>()

export function makeLocal<Made extends Transport>(transport: Made, local: LocalTransport): Made {
  transports.set(transport, local)
  return transport
}
export function makeLocalConsumer(consumer: Consumer, local: LocalConsumer): Consumer {
  consumers.set(consumer, local)
  return consumer
}
export function localTransport(transport: Transport): LocalTransport | undefined {
  return transports.get(transport)
}
export function localConsumer(consumer: Consumer): LocalConsumer | undefined {
  return consumers.get(consumer)
}
