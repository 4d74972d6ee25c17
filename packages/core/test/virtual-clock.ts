import type { Clock } from '../src/index.ts'

/** A clock that stands until it is advanced. */
export interface VirtualClock extends Clock {
  /** Fires what falls due within so many milliseconds, in order, and lets all of it take effect. */
  advance(ms: number): Promise<void>
  /** Timers that are armed. */
  readonly armed: number
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

export function virtualClock(startMs: number = Date.UTC(2026, 0, 1)): VirtualClock {
  const timers = new Map<object, { readonly dueMs: number; readonly run: () => void }>()
  let elapsedMs = 0
  const next = (untilMs: number) => {
    let first: object | undefined
    for (const [timer, { dueMs }] of timers)
      if (dueMs <= untilMs && (first === undefined || dueMs < timers.get(first)!.dueMs)) first = timer
    return first
  }
  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    startTimer(run, delayMs) {
      const timer = {}
      timers.set(timer, { dueMs: elapsedMs + Math.max(0, delayMs), run })
      return { cancel: () => void timers.delete(timer) }
    },
    async advance(ms) {
      const untilMs = elapsedMs + ms
      await settle()
      for (let timer = next(untilMs); timer !== undefined; timer = next(untilMs)) {
        const { dueMs, run } = timers.get(timer)!
        timers.delete(timer)
        elapsedMs = dueMs
        run()
        await settle()
      }
      elapsedMs = untilMs
    },
    get armed() {
      return timers.size
    },
  }
}
