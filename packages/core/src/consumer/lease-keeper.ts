import type { Clock, Timer } from '../clock.ts'
import type { Consumer, TransportDelivery } from '../transport.ts'

interface LeaseKeeperParts {
  readonly clock: Clock
  readonly consumer: Consumer
  /** How often to renew; undefined where the transport has no leases. */
  readonly everyMs: number | undefined
  held(): readonly TransportDelivery[]
  lost(deliveries: readonly TransportDelivery[]): void
  report(error: unknown): void
}

/** One timer renews the leases of everything a consumer holds. It sleeps while nothing is held. */
export class LeaseKeeper {
  readonly #parts: LeaseKeeperParts
  #timer: Timer | undefined
  #stopped = false

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
    const held = this.#parts.held()
    if (held.length > 0) {
      try {
        const lost = await this.#parts.consumer.extend(held)
        if (lost.length > 0) this.#parts.lost(lost)
      } catch (error) {
        this.#parts.report(error)
      }
    }
    this.#timer = undefined
    if (held.length > 0) this.wake()
  }
}
