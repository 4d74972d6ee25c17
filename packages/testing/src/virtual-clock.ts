import { type Clock, checkKnown, invalidOption } from '@evt/core'
import { turn } from './event-loop.ts'

export interface VirtualClockOptions {
  /** What `nowMs` begins with. Default 2026-01-01T00:00:00Z. */
  readonly startAt?: Date | undefined
}

/** Time that stands still until it is moved. Nothing here waits for a real timer. */
export interface VirtualClock extends Clock {
  /** Moves time forward. What falls due meanwhile runs in order of time, and promise work settles between two timers. */
  advance(ms: number): Promise<void>
  /** Moves time to the next timer and runs it. Answers false, and moves nothing, where none falls due within so many milliseconds. */
  advanceToNext(withinMs?: number): Promise<boolean>
  /** What the test bus needs and nobody else. */
  readonly '~clock': VirtualClockInternals
}

export interface VirtualClockInternals {
  /** The same time for the bus itself, whose timers do not count as somebody waiting for the clock. */
  readonly background: Clock
  /** When the next timer falls due, monotonic; `foreground` leaves out those of the bus. */
  nextDueMs(which: 'all' | 'foreground'): number | undefined
}

interface PendingTimer {
  readonly dueMs: number
  readonly background: boolean
  readonly run: () => void
}

const defaultStartMs = Date.UTC(2026, 0, 1)

/** Makes a clock that only `advance` moves. Throws `EVT_OPTION_INVALID` for a start that is no date. */
export function createVirtualClock(options: VirtualClockOptions = {}): VirtualClock {
  checkKnown('createVirtualClock', options, ['startAt'])
  const startMs = options.startAt === undefined ? defaultStartMs : options.startAt.getTime()
  if (Number.isNaN(startMs)) throw invalidOption('startAt', 'expected a valid Date')
  /** In the order they fall due; of one instant, in the order they were started. */
  const timers: PendingTimer[] = []
  let elapsedMs = 0
  let moving: Promise<unknown> = Promise.resolve()

  const starter =
    (background: boolean): Clock['startTimer'] =>
    (run, delayMs) => {
      // Whole milliseconds keep sums exact, so that a timer never finds itself a rounding error too early.
      const timer = { dueMs: elapsedMs + Math.max(0, Math.ceil(delayMs) || 0), background, run }
      let index = timers.length
      while (index > 0 && timers[index - 1]!.dueMs > timer.dueMs) index -= 1
      timers.splice(index, 0, timer)
      return {
        cancel() {
          const found = timers.indexOf(timer)
          if (found >= 0) timers.splice(found, 1)
        },
      }
    }
  const runUntil = async (targetMs: number) => {
    await turn()
    for (let timer = timers[0]; timer !== undefined && timer.dueMs <= targetMs; timer = timers[0]) {
      timers.shift()
      elapsedMs = Math.max(elapsedMs, timer.dueMs)
      timer.run()
      await turn()
    }
    elapsedMs = Math.max(elapsedMs, targetMs)
  }
  /** Two that move the clock at once take turns. */
  const inTurn = <Result>(move: () => Promise<Result>): Promise<Result> => {
    const result = moving.then(move)
    moving = result.catch(() => undefined)
    return result
  }
  const time = { nowMs: () => startMs + elapsedMs, monotonicMs: () => elapsedMs }
  return {
    ...time,
    startTimer: starter(false),
    advance: async (ms) => {
      checkDuration('advance', ms)
      await inTurn(() => runUntil(elapsedMs + ms))
    },
    advanceToNext: async (withinMs = Number.MAX_SAFE_INTEGER) => {
      checkDuration('advanceToNext', withinMs)
      return inTurn(async () => {
        await turn()
        const dueMs = timers[0]?.dueMs
        if (dueMs === undefined || dueMs > elapsedMs + withinMs) return false
        await runUntil(Math.max(elapsedMs, dueMs))
        return true
      })
    },
    '~clock': {
      background: { ...time, startTimer: starter(true) },
      nextDueMs: (which) => timers.find((timer) => which === 'all' || !timer.background)?.dueMs,
    },
  }
}

/** The clock of an option, or a new one. Another kind of clock could not be moved: `EVT_OPTION_INVALID`. */
export function givenOrNewClock(clock: VirtualClock | undefined): VirtualClock {
  if (clock === undefined) return createVirtualClock()
  if (clock?.['~clock'] === undefined) throw invalidOption('clock', 'expected what createVirtualClock returns')
  return clock
}

function checkDuration(option: string, ms: unknown): void {
  if (typeof ms !== 'number' || !Number.isInteger(ms) || ms < 0)
    throw invalidOption(option, 'expected whole milliseconds, at least 0')
}
