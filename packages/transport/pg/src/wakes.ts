import type { Clock, Timer } from '@evt/core'

export interface WakesParts {
  readonly clock: Clock
  readonly pollMs: number
  /** In how many milliseconds there may be something for these groups; those with nothing before the next poll are left out. */
  look(groups: readonly number[]): Promise<ReadonlyMap<number, number>>
}
/** Who waits for messages in this process, and what wakes them. One poll for all of them. */
export interface Wakes {
  /** A group of a topic is read here from now on. */
  enter(topic: number, group: number): void
  leave(topic: number, group: number): void
  /** Waits until there may be something for a group, so many milliseconds at most, or the signal. */
  wait(group: number, withinMs: number | undefined, signal: AbortSignal): Promise<void>
  /** Wakes one that waits for a group; whoever leaves something wakes the next. */
  wake(group: number): void
  /** There will be something for a group after so long. */
  wakeAfter(group: number, afterMs: number): void
  /** Something was published to a topic by this process. */
  published(topic: number): void
  /** Another process published something somewhere. */
  look(): void
  close(): void
}

export function createWakes({ clock, pollMs, look }: WakesParts): Wakes {
  const readers = new Map<number, Map<number, number>>()
  const waiting = new Map<number, Set<() => void>>()
  /** Groups that were to be woken while nobody waited: a claim under way may have looked too early. */
  const missed = new Set<number>()
  const timers = new Map<number, { readonly timer: Timer; readonly dueMs: number }>()
  let poll: Timer | undefined
  let looking = false
  let again = false
  let closed = false

  const wake = (group: number) => {
    const [first] = waiting.get(group) ?? []
    if (first === undefined) missed.add(group)
    else first()
  }
  const wakeAfter = (group: number, afterMs: number) => {
    if (afterMs <= 0) return wake(group)
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
      void lookForAll()
    }, pollMs)
  }
  const lookForAll = async () => {
    again = true
    if (looking) return
    looking = true
    while (again && !closed) {
      again = false
      const groups = [...waiting.keys()]
      try {
        if (groups.length > 0) for (const [group, afterMs] of await look(groups)) wakeAfter(group, afterMs)
      } catch {
        // Whoever is woken meets the failure itself, and says so.
        for (const group of groups) wake(group)
      }
    }
    looking = false
    arm()
  }
  return {
    enter(topic, group) {
      const groups = readers.get(topic) ?? new Map<number, number>()
      readers.set(topic, groups.set(group, (groups.get(group) ?? 0) + 1))
    },
    leave(topic, group) {
      const groups = readers.get(topic)
      const left = (groups?.get(group) ?? 0) - 1
      if (left > 0) groups?.set(group, left)
      else {
        groups?.delete(group)
        missed.delete(group)
        timers.get(group)?.timer.cancel()
        timers.delete(group)
      }
    },
    wait(group, withinMs, signal) {
      if (closed || signal.aborted || missed.delete(group)) return Promise.resolve()
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
    published(topic) {
      for (const group of readers.get(topic)?.keys() ?? []) wake(group)
    },
    look() {
      for (const groups of readers.values())
        for (const group of groups.keys()) if (!waiting.has(group)) missed.add(group)
      void lookForAll()
    },
    close() {
      closed = true
      poll?.cancel()
      for (const { timer } of timers.values()) timer.cancel()
      timers.clear()
      for (const all of [...waiting.values()]) for (const done of [...all]) done()
    },
  }
}
