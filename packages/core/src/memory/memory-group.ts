import type { Clock, Timer } from '../clock.ts'
import { Queue } from '../consumer/queue.ts'
import type { ConsumerState, Refusal, Room, Settlement, TransportDelivery } from '../transport.ts'
import type { MemoryMessage } from './memory-message.ts'

/** A message as one group sees it. */
export interface Item {
  readonly message: MemoryMessage
  attempt: number
  deliveries: number
  suspect: boolean
  /** The consumer that holds it. Each hand-over has its own lease, so a late settlement is told apart. */
  lease: Lease | undefined
  started: boolean
}
export interface Lease {
  readonly item: Item
  readonly holder: object
  expiresMs: number
}

export interface MemoryGroupOptions {
  readonly name: string
  /** Whether `confirm: 'settled'` waits for it and it outlives its consumers. */
  readonly durable: boolean
  readonly clock: Clock
  /** Keeps a dead letter or throws when there is no room. */
  readonly keepDeadLetters: (settlements: readonly (Settlement & { as: 'deadLetter' })[]) => void
  /** Room has become free. */
  readonly onFreed: () => void
}

/** The messages of one topic for one group: what waits, what is leased, what is delayed. Ordered keys stay with one holder. */
export class MemoryGroup {
  readonly name: string
  readonly durable: boolean
  /** Messages that are not settled, and their bytes. */
  size = 0
  bytes = 0
  deadLettered = 0
  readonly #options: MemoryGroupOptions
  #available = new Queue<Item>()
  readonly #leases = new Set<Lease>()
  readonly #delayed = new Map<Item, Timer>()
  /** Who holds messages of a key, how many, and what waits because of that. */
  readonly #keys = new Map<string, { holder: object; held: number; behind: Item[] }>()
  readonly #readers: (() => void)[] = []
  #expiry: Timer | undefined

  constructor(options: MemoryGroupOptions) {
    this.#options = options
    this.name = options.name
    this.durable = options.durable
  }
  add(message: MemoryMessage): void {
    this.size += 1
    this.bytes += message.bytes
    if (this.durable) message.await()
    this.#available.push({ message, attempt: 1, deliveries: 0, suspect: false, lease: undefined, started: false })
    this.#wakeReader()
  }
  /** Removes the oldest message nobody holds; answers whether there was one. */
  dropOldest(): boolean {
    const item = this.#available.shift()
    if (item === undefined) return false
    this.#remove(item)
    return true
  }
  /** Messages for a holder, as many as there is room for, at least one if any is available. */
  take(holder: object, room: Room, leaseMs: number, ordered: boolean): TransportDelivery[] {
    const taken: TransportDelivery[] = []
    let bytes = 0
    const nowMs = this.#options.clock.monotonicMs()
    while (taken.length < room.messages) {
      const item = this.#available.peek()
      if (item === undefined) break
      if (taken.length > 0 && bytes + item.message.bytes > room.bytes) break
      this.#available.shift()
      const { key } = item.message.outgoing
      if (ordered && key !== undefined && !this.#hold(key, holder, item)) continue
      bytes += item.message.bytes
      item.deliveries += 1
      item.started = false
      const lease = { item, holder, expiresMs: nowMs + leaseMs }
      item.lease = lease
      this.#leases.add(lease)
      taken.push(toDelivery(item, lease, leaseMs))
    }
    if (taken.length > 0) this.#armExpiry()
    if (this.#available.size > 0) this.#wakeReader()
    return taken
  }
  #hold(key: string, holder: object, item: Item): boolean {
    const owner = this.#keys.get(key)
    if (owner === undefined) this.#keys.set(key, { holder, held: 1, behind: [] })
    else if (owner.holder === holder && owner.behind.length === 0) owner.held += 1
    else {
      owner.behind.push(item)
      return false
    }
    return true
  }
  #letGo(item: Item): void {
    const { key } = item.message.outgoing
    const owner = key === undefined ? undefined : this.#keys.get(key)
    if (owner === undefined) return
    owner.held -= 1
    if (owner.held > 0) return
    this.#keys.delete(key!)
    if (owner.behind.length > 0) this.#giveBack(owner.behind)
  }
  /** Waits until something may be available. */
  whenAvailable(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done)
        const index = this.#readers.indexOf(done)
        if (index >= 0) this.#readers.splice(index, 1)
        resolve()
      }
      signal.addEventListener('abort', done)
      this.#readers.push(done)
    })
  }
  #wakeReader(): void {
    this.#readers.shift()?.()
  }

  settle(batch: readonly Settlement[]): Refusal[] {
    const refusals: Refusal[] = []
    const valid = batch.filter((settlement) => {
      const lease = settlement.delivery.receipt as Lease
      if (this.#leases.has(lease)) return true
      refusals.push({ delivery: settlement.delivery, reason: 'the lease was lost' })
      return false
    })
    this.#options.keepDeadLetters(valid.filter((settlement) => settlement.as === 'deadLetter'))
    const back: Item[] = []
    for (const settlement of valid) {
      const lease = settlement.delivery.receipt as Lease
      const { item } = lease
      if (settlement.as === 'started') {
        item.started = true
        continue
      }
      this.#leases.delete(lease)
      item.lease = undefined
      if (settlement.as === 'ack' || settlement.as === 'deadLetter') {
        if (settlement.as === 'deadLetter') this.deadLettered += 1
        this.#remove(item)
      } else {
        item.attempt = settlement.attempt
        item.suspect = false
        if (settlement.as === 'retry') this.#delay(item, settlement.afterMs)
        else back.push(item)
      }
      if (!back.includes(item)) this.#letGo(item)
    }
    if (back.length > 0) this.#comeBack(back)
    return refusals
  }
  extend(held: readonly TransportDelivery[], leaseMs: number): TransportDelivery[] {
    const expiresMs = this.#options.clock.monotonicMs() + leaseMs
    return held.filter((delivery) => {
      const lease = delivery.receipt as Lease
      if (!this.#leases.has(lease)) return true
      lease.expiresMs = expiresMs
      return false
    })
  }
  /** A consumer is gone: what it still holds ended uncleanly. */
  abandon(holder: object): void {
    this.#endLeases([...this.#leases].filter((lease) => lease.holder === holder))
    this.#wakeReader()
  }
  #endLeases(leases: readonly Lease[]): void {
    for (const lease of leases) {
      this.#leases.delete(lease)
      const { item } = lease
      item.lease = undefined
      item.suspect = true
      if (item.started) item.attempt += 1
    }
    this.#comeBack(leases.map((lease) => lease.item))
  }
  /** In front of the rest, and in front of what waited for their keys. */
  #comeBack(items: Item[]): void {
    this.#giveBack(items)
    for (const item of items) this.#letGo(item)
  }
  #giveBack(items: Item[]): void {
    const all = [...items, ...this.#available.drain()]
    // Sequence order keeps every key's order; what was added last is last anyway.
    all.sort((left, right) => left.message.sequence - right.message.sequence)
    this.#available.unshift(all)
    for (let index = 0; index < items.length; index += 1) this.#wakeReader()
  }
  #delay(item: Item, afterMs: number): void {
    const timer = this.#options.clock.startTimer(() => {
      this.#delayed.delete(item)
      this.#available.push(item)
      this.#wakeReader()
    }, afterMs)
    this.#delayed.set(item, timer)
  }
  #remove(item: Item): void {
    this.size -= 1
    this.bytes -= item.message.bytes
    if (this.durable) item.message.settle()
    this.#options.onFreed()
  }
  #armExpiry(): void {
    if (this.#expiry !== undefined || this.#leases.size === 0) return
    let firstMs = Number.POSITIVE_INFINITY
    for (const lease of this.#leases) firstMs = Math.min(firstMs, lease.expiresMs)
    const { clock } = this.#options
    this.#expiry = clock.startTimer(
      () => {
        this.#expiry = undefined
        const nowMs = clock.monotonicMs()
        this.#endLeases([...this.#leases].filter((lease) => lease.expiresMs <= nowMs))
        this.#armExpiry()
      },
      Math.max(0, firstMs - clock.monotonicMs()),
    )
  }
  state(nowMs: number): ConsumerState {
    const oldest = this.#available.peek()
    let behind = 0
    for (const owner of this.#keys.values()) behind += owner.behind.length
    return {
      consumer: this.name,
      lag: this.#available.size + behind,
      running: this.#leases.size,
      delayed: this.#delayed.size,
      deadLettered: this.deadLettered,
      oldestMs: oldest === undefined ? null : Math.max(0, nowMs - oldest.message.publishedMs),
    }
  }
  close(): void {
    this.#expiry?.cancel()
    for (const timer of this.#delayed.values()) timer.cancel()
    for (const wake of [...this.#readers]) wake()
  }
}

function toDelivery(item: Item, lease: Lease, leaseMs: number): TransportDelivery {
  const { outgoing } = item.message
  return {
    headers: outgoing.headers,
    payload: outgoing.payload,
    value: outgoing.value,
    key: outgoing.key,
    partition: 0,
    position: String(item.message.sequence),
    attempt: item.attempt,
    deliveries: item.deliveries,
    suspect: item.suspect,
    leaseMs,
    receipt: lease,
  }
}
