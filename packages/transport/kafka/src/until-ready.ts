import type { Clock } from '@evt/core'
import type { GroupReader } from './group-reader.ts'

const failingLimitMs = 5_000
const lookMs = 100

/** Waits until a group has its places; rejects when joining has failed for seconds. */
export async function untilReady(
  reader: GroupReader,
  clock: Clock,
  limitMs: number,
  failure: () => unknown,
): Promise<void> {
  const endMs = clock.monotonicMs() + limitMs
  let isReady = false
  const ready = reader.ready.then(() => {
    isReady = true
  })
  let failingMs = 0
  while (!isReady) {
    await Promise.race([ready, new Promise<void>((resolve) => clock.startTimer(resolve, lookMs))])
    const error = failure()
    failingMs = error === undefined ? 0 : failingMs + lookMs
    if (failingMs > failingLimitMs || clock.monotonicMs() > endMs)
      throw error ?? new Error(`not joined within ${limitMs} ms`)
  }
}
