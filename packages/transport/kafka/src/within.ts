import type { Clock } from '@evt/core'

/** Waits for work, however it ends, but no longer than this; answers whether it ended in time. */
export function within(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.startTimer(() => resolve(false), limitMs)
    const done = () => {
      timer.cancel()
      resolve(true)
    }
    work.then(done, done)
  })
}
