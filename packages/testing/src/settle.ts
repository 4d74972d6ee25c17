import { evtError } from '@evt/core'
import type {} from './errors.ts'
import { pause, realNowMs, turn } from './event-loop.ts'
import { describeOutstanding, type Outstanding, phaseOf, waitsForTime } from './outstanding.ts'
import type { VirtualClock } from './virtual-clock.ts'

interface SettleLimits {
  /** Virtual. */
  readonly withinMs: number
  /** Real. */
  readonly deadlineMs: number
}

/** How long, in real time, something may be between two places before the clock is moved to help it. */
const patienceMs = 20
const turnsBeforePausing = 50

/**
 * Moves the clock from timer to timer until nothing is left to do within the limit. While somebody's code runs, time stands
 * still unless that code itself waits for the clock: a slow machine must not make a handler time out.
 */
export async function settle(
  clock: VirtualClock,
  look: () => Promise<Outstanding>,
  { withinMs, deadlineMs }: SettleLimits,
): Promise<void> {
  const untilMs = clock.monotonicMs() + withinMs
  const giveUpMs = realNowMs() + deadlineMs
  let seen = ''
  let seenMs = realNowMs()
  for (let turns = 0; ; turns += 1) {
    await turn()
    const outstanding = await look()
    const phase = phaseOf(outstanding)
    if (phase === 'idle') return
    const nowMs = realNowMs()
    const now = [clock.monotonicMs(), ...describeOutstanding(outstanding)].join()
    if (now !== seen) {
      seen = now
      seenMs = nowMs
      turns = 0
    }
    if (nowMs > giveUpMs) throw stuck(outstanding, deadlineMs)
    const dueMs = clock['~clock'].nextDueMs(phase === 'busy' ? 'foreground' : 'all')
    const reachable = dueMs !== undefined && dueMs <= untilMs
    if (reachable && (phase !== 'moving' || nowMs - seenMs > patienceMs)) {
      await clock.advanceToNext(Math.max(0, dueMs - clock.monotonicMs()))
      continue
    }
    if (phase === 'timed' && dueMs !== undefined && !reachable && outstanding.consumers.every(waitsForTime)) return
    if (turns > turnsBeforePausing) await pause(1)
  }
}

function stuck(outstanding: Outstanding, deadlineMs: number): Error {
  const sentences = describeOutstanding(outstanding)
  return evtError('EVT_TESTING_STUCK', `Not settled after ${deadlineMs} ms: ${sentences.join('; ')}`, {
    deadlineMs,
    stuck: sentences,
  })
}
