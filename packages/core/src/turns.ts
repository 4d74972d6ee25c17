// Taken once: test runners replace the global ones later.
import { setImmediate } from 'node:timers'

// Importing it reads all that a process has, which opens the standard streams: 4 ms at the start of every program.
const { nextTick } = process

const looksEvery = 64
const longestMs = 10

/** Counts what happens inside this process, for work that needs nothing but promises would let timers and sockets wait for ever. */
export class TurnWatch {
  #left = looksEvery
  #turnedMs = performance.now()

  /** Counts one more thing; whether the rest should wait for `nextTurn`. */
  isDue(): boolean {
    this.#left -= 1
    if (this.#left > 0) return false
    this.#left = looksEvery
    const nowMs = performance.now()
    if (nowMs - this.#turnedMs < longestMs) return false
    this.#turnedMs = nowMs
    return true
  }
}

/** Resolves once everything is done that needs nothing but promises. */
export function afterPromises(): Promise<void> {
  return new Promise((resolve) => nextTick(resolve))
}

/** Resolves in the next turn of the event loop, after timers and sockets. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
