import type { Clock } from '../clock.ts'

/** What a run says of its handler: control flow and lost leases say nothing, `neither`. */
export type RunEnd = 'succeeded' | 'failed' | 'neither'

/** Decides how many handlers may start now. It fails no message and burns no attempt. */
export interface Gate {
  /** Starts allowed now; Infinity where nothing limits them. */
  permits(): number
  /** Milliseconds until `permits` may grow by itself. */
  waitMs(): number
  started(): void
  /** Told of the end of everything that started. */
  finished(end: RunEnd): void
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
