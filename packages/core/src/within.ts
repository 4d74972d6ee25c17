import type { Clock, Timer } from './clock.ts'

/** Waits for work, but no longer than this; answers whether it ended in time, and rejects where it failed in time. */
export async function within(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<boolean> {
  let timer: Timer | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = clock.startTimer(() => resolve(false), limitMs)
  })
  const inTime = await Promise.race([work.then(() => true), late])
  timer?.cancel()
  return inTime
}
