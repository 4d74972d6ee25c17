import type { Clock, Timer } from '@evt/core'
import type { Claim, IdempotencyStore } from './idempotency-store.ts'

/** One timer renews all claims whose handlers run. It sleeps while there are none. */
export class ClaimKeeper {
  readonly #store: IdempotencyStore
  readonly #clock: Clock
  readonly #leaseMs: number
  readonly #held = new Set<Claim>()
  #timer: Timer | undefined

  constructor(store: IdempotencyStore, clock: Clock, leaseMs: number) {
    this.#store = store
    this.#clock = clock
    this.#leaseMs = leaseMs
  }
  hold(claim: Claim): void {
    this.#held.add(claim)
    this.#timer ??= this.#clock.startTimer(() => this.#renew(), this.#leaseMs / 3)
  }
  letGo(claim: Claim): void {
    this.#held.delete(claim)
    if (this.#held.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }
  /** Waits for no answer: one that never comes must not make this the last renewal. */
  #renew(): void {
    this.#timer = this.#clock.startTimer(() => this.#renew(), this.#leaseMs / 3)
    // A claim that was lost shows when it is completed; a store that is down is asked again before the lease ends.
    this.#store.renew([...this.#held], this.#leaseMs).catch(() => undefined)
  }
}
