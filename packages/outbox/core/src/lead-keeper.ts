import { type Clock, crashPoint } from '@evt/core'
import type { Lease, OutboxStore, Position } from './outbox-store.ts'

interface LeadKeeperParts {
  readonly store: OutboxStore<never>
  readonly clock: Clock
  readonly owner: string
  readonly leaseMs: number
}

/** The lead as this process may believe in it: never longer than the store does. */
export class LeadKeeper {
  readonly #parts: LeadKeeperParts
  #lease: Lease | undefined
  #untilMs = 0
  #isOver: (() => boolean) | undefined

  constructor(parts: LeadKeeperParts) {
    this.#parts = parts
  }
  get lease(): Lease | undefined {
    if (this.#parts.clock.monotonicMs() >= this.#untilMs || this.#isOver?.() === true) return undefined
    return this.#lease
  }
  /** Whether the lead is to be taken, or renewed because a third of it has passed. */
  get isDue(): boolean {
    if (this.#lease === undefined) return true
    return this.#parts.clock.monotonicMs() >= this.#untilMs - (this.#parts.leaseMs * 2) / 3
  }
  /** Takes or renews it; answers the bound of that moment, null also where somebody else leads. */
  async renew(): Promise<Position | null> {
    const { store, clock, owner, leaseMs } = this.#parts
    // From before the question: the store's lease begins later and so ends later.
    const askedMs = clock.monotonicMs()
    const lead = await store.lead(owner, leaseMs)
    if (lead === null) {
      this.#lease = undefined
      return null
    }
    this.#lease = lead
    this.#untilMs = askedMs + leaseMs
    crashPoint('outbox.led')
    return lead.bound
  }
  /** Ends the lead for this process, not for the store, as soon as this says so. */
  endsWhen(isOver: (() => boolean) | undefined): void {
    this.#isOver = isOver
  }
  async release(): Promise<void> {
    const lease = this.#lease
    this.#lease = undefined
    this.#untilMs = 0
    if (lease !== undefined) await this.#parts.store.release(lease)
  }
}
