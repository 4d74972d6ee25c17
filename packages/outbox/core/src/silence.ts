import type { Clock } from '@evt/core'

/** What answers at once while it is well, and has not answered for so long, is not well. */
const patienceMs = 30_000

/** The failure that an unanswered question has become, if it has. */
export function silence(who: string, askedMs: number | undefined, clock: Clock): Error | undefined {
  if (askedMs === undefined) return undefined
  const silentMs = clock.monotonicMs() - askedMs
  if (silentMs < patienceMs) return undefined
  return new Error(`${who} has not answered for ${Math.round(silentMs / 1_000)} s`)
}
