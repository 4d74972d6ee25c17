import type { Clock } from '@evt/core'

/** Time that passes when a test says so. */
export function manualClock(): Clock & { advance(byMs: number): Promise<void> } {
  let nowMs = 0
  const timers = new Set<{ readonly dueMs: number; run(): void }>()
  const settle = async () => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    startTimer(run, delayMs) {
      const timer = { dueMs: nowMs + delayMs, run }
      timers.add(timer)
      return { cancel: () => void timers.delete(timer) }
    },
    async advance(byMs) {
      const untilMs = nowMs + byMs
      for (;;) {
        await settle()
        const [next] = [...timers].filter((timer) => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)
        if (next === undefined) break
        timers.delete(next)
        nowMs = Math.max(nowMs, next.dueMs)
        next.run()
      }
      nowMs = untilMs
      await settle()
    },
  }
}
