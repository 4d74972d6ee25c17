import type { Clock } from '../clock.ts'

/** Decides how many handlers may start now. It fails no message and burns no attempt. */
export interface Gate {
  /** Starts allowed now; Infinity where nothing limits them. */
  permits(): number
  /** Milliseconds until `permits` may grow by itself. */
  waitMs(): number
  started(): void
  /** Told of the end of everything that started. Control flow and lost leases say nothing of the handler: `neither`. */
  finished(end: 'succeeded' | 'failed' | 'neither'): void
  readonly reason: string | undefined
}

/** Nothing is limited. */
export const openGate: Gate = {
  permits: () => Number.POSITIVE_INFINITY,
  waitMs: () => 0,
  started() {},
  finished() {},
  reason: undefined,
}

/** A token bucket. */
export function rateLimitGate(perSecond: number, burst: number, clock: Clock): Gate {
  let tokens = burst
  let filledMs = clock.monotonicMs()
  const fill = () => {
    const nowMs = clock.monotonicMs()
    tokens = Math.min(burst, tokens + ((nowMs - filledMs) * perSecond) / 1_000)
    filledMs = nowMs
  }
  return {
    permits() {
      fill()
      // Rounding: after waiting exactly long enough the sum may lack a billionth.
      return Math.floor(tokens + 1e-6)
    },
    waitMs: () => Math.max(1, Math.ceil(((1 - tokens) * 1_000) / perSecond)),
    started() {
      tokens -= 1
    },
    finished() {},
    get reason() {
      fill()
      return tokens + 1e-6 < 1 ? 'rate limit reached' : undefined
    },
  }
}

const probePollMs = 100

/** Opens after consecutive failures, then lets one probe go at a time until enough of them succeeded. */
export function circuitGate(options: { failures: number; successes: number; openMs: number }, clock: Clock): Gate {
  let failures = 0
  let successes = 0
  let probing = false
  let openedMs: number | undefined
  const leftMs = () => (openedMs === undefined ? 0 : openedMs + options.openMs - clock.monotonicMs())
  const open = () => {
    openedMs = clock.monotonicMs()
    successes = 0
  }
  return {
    permits() {
      if (openedMs === undefined) return Number.POSITIVE_INFINITY
      return leftMs() > 0 || probing ? 0 : 1
    },
    // The end of a probe is heard of by itself.
    waitMs: () => Math.max(1, Math.ceil(probing ? probePollMs : leftMs())),
    started() {
      if (openedMs !== undefined) probing = true
    },
    finished(end) {
      if (openedMs === undefined) {
        if (end === 'neither') return
        failures = end === 'succeeded' ? 0 : failures + 1
        if (failures >= options.failures) open()
        return
      }
      // What was running when the circuit opened says nothing about the probe.
      if (!probing) return
      probing = false
      if (end === 'failed') open()
      else if (end === 'succeeded' && ++successes >= options.successes) {
        openedMs = undefined
        failures = 0
      }
    },
    get reason() {
      return openedMs === undefined ? undefined : 'the circuit is open'
    },
  }
}

/** Every gate must agree. */
export function bothGates(first: Gate, second: Gate): Gate {
  return {
    permits: () => Math.min(first.permits(), second.permits()),
    waitMs: () => Math.max(first.permits() > 0 ? 0 : first.waitMs(), second.permits() > 0 ? 0 : second.waitMs()),
    started() {
      first.started()
      second.started()
    },
    finished(end) {
      first.finished(end)
      second.finished(end)
    },
    get reason() {
      return first.reason ?? second.reason
    },
  }
}
