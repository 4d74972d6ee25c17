import type { Clock, Timer } from '@evt/core'

/** One lease for all that a consumer holds: who does not renew it is stuck, and leaves its group. */
export interface Lease {
  readonly isExpired: boolean
  renew(): void
  /** Watches from now on, until nothing is held. */
  watch(): void
  stop(): void
}

export function createLease(clock: Clock, leaseMs: number, isHolding: () => boolean, onExpired: () => void): Lease {
  let renewedMs = clock.monotonicMs()
  let timer: Timer | undefined
  const isExpired = () => clock.monotonicMs() - renewedMs > leaseMs
  const watch = () => {
    if (timer !== undefined) return
    const look = () => {
      timer = undefined
      if (!isHolding()) return
      if (isExpired()) onExpired()
      else watch()
    }
    timer = clock.startTimer(look, Math.max(1, renewedMs + leaseMs - clock.monotonicMs() + 1))
  }
  return {
    get isExpired() {
      return isExpired()
    },
    renew() {
      renewedMs = clock.monotonicMs()
    },
    watch,
    stop: () => timer?.cancel(),
  }
}
