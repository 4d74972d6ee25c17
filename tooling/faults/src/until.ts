import { setTimeout as delay } from 'node:timers/promises'

/** Waits for a condition; answers whether it came true in time. A condition that throws is not true yet. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  deadlineMs: number,
  everyMs: number = 20,
): Promise<boolean> {
  const endMs = performance.now() + deadlineMs
  for (;;) {
    try {
      if (await condition()) return true
    } catch {
      // A server that is down answers later.
    }
    if (performance.now() > endMs) return false
    await delay(everyMs)
  }
}
