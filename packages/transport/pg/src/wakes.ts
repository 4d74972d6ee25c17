import type { Clock, Timer } from '@evt/core'

export interface WakesParts {
  readonly clock: Clock
  readonly pollMs: number
  /** In how many milliseconds there may be something for these groups; those for which that is unknown are left out. */
  look(groups: readonly number[]): Promise<ReadonlyMap<number, number>>
}
/** Who waits for messages in this process, and what wakes them. One poll for all of them. */
export interface Wakes {
  /** Waits until there may be something for a group, so many milliseconds at most, or the signal. */
  wait(group: number, withinMs: number | undefined, signal: AbortSignal): Promise<void>
  /** Wakes one that waits for a group; it wakes the next where it leaves something. */
  wake(group: number): void
  /** There will be something for a group after so long. */
  wakeAfter(group: number, afterMs: number): void
  /** Somewhere there is something. */
  look(): void
  close(): void
}

export function createWakes({ clock, pollMs, look }: WakesParts): Wakes {
  const waiting = new Map<number, Set<() => void>>()
  const timers = new Map<number, { readonly timer: Timer; readonly dueMs: number }>()
  let poll: Timer | undefined
  let looking = false
  let again = false
  let closed = false

  const wake = (group: number) => {
    const [first] = waiting.get(group) ?? []
    first?.()
  }
  const wakeAfter = (group: number, afterMs: number) => {
    const dueMs = clock.monotonicMs() + afterMs
    const current = timers.get(group)
    if (closed || (current !== undefined && current.dueMs <= dueMs)) return
    current?.timer.cancel()
    const timer = clock.startTimer(() => {
      timers.delete(group)
      wake(group)
    }, afterMs)
    timers.set(group, { timer, dueMs })
  }
  const arm = () => {
    if (closed || poll !== undefined || waiting.size === 0) return
    poll = clock.startTimer(() => {
      poll = undefined
      void lookNow()
    }, pollMs)
  }
  const lookNow = async () => {
    if (looking) {
      again = true
      return
    }
    looking = true
    do {
      again = false
      const groups = [...waiting.keys()]
      try {
        if (groups.length > 0) for (const [group, afterMs] of await look(groups)) wakeAfter(group, Math.max(0, afterMs))
      } catch {
        // Whoever is woken meets the failure itself, and says so.
        for (const group of groups) wake(group)
      }
    } while (again && !closed)
    looking = false
    arm()
  }
  return {
    wait(group, withinMs, signal) {
      if (closed || signal.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const all = waiting.get(group) ?? new Set()
        waiting.set(group, all)
        const done = () => {
          signal.removeEventListener('abort', done)
          all.delete(done)
          if (all.size === 0) waiting.delete(group)
          resolve()
        }
        all.add(done)
        signal.addEventListener('abort', done)
        if (withinMs !== undefined && withinMs < pollMs) wakeAfter(group, withinMs)
        arm()
      })
    },
    wake,
    wakeAfter,
    look: () => void lookNow(),
    close() {
      closed = true
      poll?.cancel()
      for (const { timer } of timers.values()) timer.cancel()
      timers.clear()
      for (const all of [...waiting.values()]) for (const done of [...all]) done()
    },
  }
}
