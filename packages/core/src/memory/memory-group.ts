import type { Clock, Timer } from '../clock.ts'
import { Queue } from '../consumer/queue.ts'
import { Roster } from '../roster.ts'
import type { ConsumerState, Refusal, Room, Settlement, TransportDelivery } from '../transport.ts'
import type { LocalReceiver } from './local.ts'
import { type Lease, LeasedDelivery, MemoryItem } from './memory-item.ts'
import type { MemoryMessage } from './memory-message.ts'

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
  #available = new Queue<MemoryItem>()
  readonly #leases = new Roster<Lease>()
  readonly #delayed = new Map<MemoryItem, { readonly timer: Timer; readonly dueMs: number }>()
  /** Who holds messages of a key, how many, and what waits because of that. */
  readonly #keys = new Map<string, { holder: object; held: number; behind: MemoryItem[] }>()
  readonly #readers: (() => void)[] = []
  #receivers: readonly LocalReceiver[] = []
  /** Which receiver is asked first. */
  #turn = 0
  /** Messages that handlers of this process run without a lease. */
  #running = 0
  #announcing = false
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
    this.#available.push(new MemoryItem(message))
  }
  /** Something may be there for somebody. Receivers run handlers at once, up to their first await. */
  announce(): void {
    const receivers = this.#receivers
    for (let index = 0; index < receivers.length && this.#available.size > 0; index += 1) {
      receivers[(this.#turn + index) % receivers.length]!.receive()
    }
    if (receivers.length > 1) this.#turn = (this.#turn + 1) % receivers.length
    if (this.#available.size > 0) this.#readers.shift()?.()
  }
  attach(receiver: LocalReceiver): void {
    this.#receivers = [...this.#receivers, receiver]
    this.#announceSoon()
  }
  detach(receiver: LocalReceiver): void {
    this.#receivers = this.#receivers.filter((each) => each !== receiver)
    this.#announceSoon()
  }
  get hasAvailable(): boolean {
    return this.#available.size > 0
  }
  /** The next message that waits and, where there is order to keep, whose key nobody else holds. It runs from now on. */
  next(holder: object, ordered: boolean): MemoryItem | undefined {
    let item = this.#available.shift()
    if (ordered) while (item !== undefined && !this.#hold(item, holder)) item = this.#available.shift()
    if (item === undefined) return undefined
    item.deliveries += 1
    this.#running += 1
    return item
  }
  acknowledge(item: MemoryItem): void {
    this.#running -= 1
    this.#remove(item)
    if (this.#keys.size > 0) this.#letGo(item)
  }
  /** What runs becomes leased, as if it had been read. */
  lease(running: MemoryItem, holder: object, leaseMs: number): TransportDelivery {
    this.#running -= 1
    const item = running.again()
    item.suspect = running.suspect
    const lease = this.#hand(item, holder, this.#options.clock.monotonicMs() + leaseMs)
    this.#armExpiry()
    return new LeasedDelivery(item, lease, leaseMs)
  }
  #hand(item: MemoryItem, holder: object, expiresMs: number): Lease {
    const lease = { item, holder, expiresMs, place: -1, number: 0 }
    item.lease = lease
    this.#leases.add(lease)
    return lease
  }
  /** For what happens inside a settlement or a timer, where no handler may begin. */
  #announceSoon(): void {
    if (this.#announcing) return
    this.#announcing = true
    queueMicrotask(() => {
      this.#announcing = false
      this.announce()
    })
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
      if (ordered && !this.#hold(item, holder)) continue
      bytes += item.message.bytes
      item.deliveries += 1
      item.started = false
      const lease = this.#hand(item, holder, nowMs + leaseMs)
      taken.push(new LeasedDelivery(item, lease, leaseMs))
    }
    if (taken.length > 0) this.#armExpiry()
    if (this.#available.size > 0) this.#wakeReader()
    return taken
  }
  #hold(item: MemoryItem, holder: object): boolean {
    const { key } = item.message.outgoing
    if (key === undefined) return true
    const owner = this.#keys.get(key)
    if (owner === undefined) this.#keys.set(key, { holder, held: 1, behind: [] })
    else if (owner.holder === holder && owner.behind.length === 0) owner.held += 1
    else {
      owner.behind.push(item)
      return false
    }
    return true
  }
  #letGo(item: MemoryItem): void {
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
    if (this.#receivers.length > 0) this.#announceSoon()
    this.#readers.shift()?.()
  }

  settle(batch: readonly Settlement[]): Refusal[] {
    const refusals: Refusal[] = []
    const valid = batch.filter((settlement) => {
      const lease = settlement.delivery.receipt as Lease
      if (lease.place >= 0) return true
      refusals.push({ delivery: settlement.delivery, reason: 'the lease was lost' })
      return false
    })
    this.#options.keepDeadLetters(valid.filter((settlement) => settlement.as === 'deadLetter'))
    const back: MemoryItem[] = []
    for (const settlement of valid) {
      const lease = settlement.delivery.receipt as Lease
      const { item } = lease
      if (settlement.as === 'started') {
        item.started = true
        continue
      }
      this.#leases.remove(lease)
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
      if (lease.place < 0) return true
      lease.expiresMs = expiresMs
      return false
    })
  }
  /** A consumer is gone: what it still holds ended uncleanly. */
  abandon(holder: object): void {
    this.#endLeases(this.#leases.inOrder().filter((lease) => lease.holder === holder))
    this.#wakeReader()
  }
  #endLeases(leases: readonly Lease[]): void {
    for (const lease of leases) {
      this.#leases.remove(lease)
      const { item } = lease
      item.lease = undefined
      item.suspect = true
      if (item.started) item.attempt += 1
    }
    this.#comeBack(leases.map((lease) => lease.item))
  }
  /** In front of the rest, and in front of what waited for their keys. */
  #comeBack(items: MemoryItem[]): void {
    this.#giveBack(items)
    for (const item of items) this.#letGo(item)
  }
  #giveBack(items: MemoryItem[]): void {
    const all = [...items, ...this.#available.drain()]
    // Sequence order keeps every key's order; what was added last is last anyway.
    all.sort((left, right) => left.message.sequence - right.message.sequence)
    this.#available.unshift(all)
    for (let index = 0; index < items.length; index += 1) this.#wakeReader()
  }
  #delay(item: MemoryItem, afterMs: number): void {
    const { clock } = this.#options
    const timer = clock.startTimer(() => {
      this.#delayed.delete(item)
      this.#available.push(item)
      this.#wakeReader()
    }, afterMs)
    this.#delayed.set(item, { timer, dueMs: clock.monotonicMs() + afterMs })
  }
  #remove(item: MemoryItem): void {
    this.size -= 1
    this.bytes -= item.message.bytes
    if (this.durable) item.message.settle()
    this.#options.onFreed()
  }
  #armExpiry(): void {
    if (this.#expiry !== undefined || this.#leases.size === 0) return
    let firstMs = Number.POSITIVE_INFINITY
    for (const lease of this.#leases.inOrder()) firstMs = Math.min(firstMs, lease.expiresMs)
    const { clock } = this.#options
    this.#expiry = clock.startTimer(
      () => {
        this.#expiry = undefined
        const nowMs = clock.monotonicMs()
        this.#endLeases(this.#leases.inOrder().filter((lease) => lease.expiresMs <= nowMs))
        this.#armExpiry()
      },
      Math.max(0, firstMs - clock.monotonicMs()),
    )
  }
  state(nowMs: number): ConsumerState {
    const behind = [...this.#keys.values()].flatMap((owner) => owner.behind)
    const leased = this.#leases.inOrder().map(({ item }) => item)
    const running = this.#receivers.flatMap((receiver) => receiver.running())
    let firstMs = Number.POSITIVE_INFINITY
    for (const { message } of [...this.#available, ...behind, ...leased, ...running, ...this.#delayed.keys()])
      firstMs = Math.min(firstMs, message.publishedMs)
    return {
      consumer: this.name,
      lag: this.#available.size + behind.length,
      running: this.#leases.size + this.#running,
      delayed: this.#delayed.size,
      deadLettered: this.deadLettered,
      oldestMs: firstMs === Number.POSITIVE_INFINITY ? null : Math.max(0, nowMs - firstMs),
    }
  }
  /** Goes on after a close: nothing that was delayed, or leased to somebody who is gone, is lost. */
  open(): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const [item, { dueMs }] of [...this.#delayed]) this.#delay(item, Math.max(0, dueMs - nowMs))
    this.#armExpiry()
  }
  close(): void {
    this.#expiry?.cancel()
    this.#expiry = undefined
    for (const { timer } of this.#delayed.values()) timer.cancel()
    for (const wake of [...this.#readers]) wake()
  }
}
