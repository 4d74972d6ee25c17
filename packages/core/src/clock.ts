/** Time as core sees it. `nowMs` is wall-clock time for people and the wire; `monotonicMs` never steps and measures every lease and delay. */
export interface Clock {
  nowMs(): number
  monotonicMs(): number
  /** Runs once, at least `delayMs` later. The timer keeps no process alive. */
  startTimer(run: () => void, delayMs: number): Timer
}
export interface Timer {
  cancel(): void
}

// setTimeout fires at once when the delay does not fit 31 bits.
const maxTimeoutMs = 2_147_483_647

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  startTimer(run, delayMs) {
    const dueMs = performance.now() + delayMs
    let handle: NodeJS.Timeout
    const arm = () => {
      const leftMs = dueMs - performance.now()
      handle = setTimeout(fire, Math.min(maxTimeoutMs, Math.max(0, Math.ceil(leftMs))))
      handle.unref()
    }
    // Node's timers may fire up to a millisecond early, so the clock is asked again.
    const fire = () => (performance.now() < dueMs ? arm() : run())
    arm()
    return { cancel: () => clearTimeout(handle) }
  },
}
