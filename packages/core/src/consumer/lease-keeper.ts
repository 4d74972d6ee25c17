import type { Clock, Timer } from '../clock.ts'
import type { Consumer, TransportDelivery } from '../transport.ts'
import { within } from '../within.ts'

interface LeaseKeeperParts {
  readonly clock: Clock
  readonly consumer: Consumer
  /** How often to renew; undefined where the transport has no leases. */
  readonly everyMs: number | undefined
  /** How long a lease lasts; undefined where a message has none of its own. */
  readonly leaseMs: number | undefined
  held(): readonly TransportDelivery[]
  lost(deliveries: readonly TransportDelivery[]): void
  /** These could not be renewed until their leases had ended: somebody else may have them. */
  ended(deliveries: readonly TransportDelivery[]): void
  report(error: unknown): void
}

/** One timer renews the leases of everything a consumer holds. It sleeps while nothing is held. */
export class LeaseKeeper {
  readonly #parts: LeaseKeeperParts
  #timer: Timer | undefined
  #stopped = false
  /** What could not be renewed since renewing began to fail, and when the last of its leases has ended. */
  #unrenewed: { readonly held: readonly TransportDelivery[]; readonly endMs: number } | undefined

  constructor(parts: LeaseKeeperParts) {
    this.#parts = parts
  }
  /** Something is held from now on. */
  wake(): void {
    if (this.#timer !== undefined || this.#stopped || this.#parts.everyMs === undefined) return
    this.#timer = this.#parts.clock.startTimer(() => void this.#renew(), this.#parts.everyMs)
  }
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }
  async #renew(): Promise<void> {
    const { clock, everyMs, leaseMs, report } = this.#parts
    let held = this.#parts.held()
    while (held.length > 0) {
      if (leaseMs !== undefined) this.#unrenewed ??= { held, endMs: clock.monotonicMs() + leaseMs }
      const isAnswered = await within(clock, everyMs!, this.#extend(held))
      this.#tellEnded()
      if (isAnswered || this.#stopped) break
      report(new Error(`Renewing leases has not been answered for ${everyMs} ms`))
      // Again before they end: another connection may still reach the server.
      held = this.#parts.held()
    }
    this.#timer = undefined
    if (held.length > 0) this.wake()
  }
  async #extend(held: readonly TransportDelivery[]): Promise<void> {
    try {
      const lost = await this.#parts.consumer.extend(held)
      this.#unrenewed = undefined
      if (lost.length > 0) this.#parts.lost(lost)
    } catch (error) {
      this.#parts.report(error)
    }
  }
  #tellEnded(): void {
    if (this.#unrenewed === undefined || this.#parts.clock.monotonicMs() < this.#unrenewed.endMs) return
    const { held } = this.#unrenewed
    this.#unrenewed = undefined
    this.#parts.ended(held)
  }
}
