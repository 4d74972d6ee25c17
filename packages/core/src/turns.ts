// Taken once: test runners replace the global ones later.
import { setImmediate } from 'node:timers'

// Importing it reads all that a process has, which opens the standard streams: 4 ms at the start of every program.
const { nextTick } = process

/**
 * How much may happen inside this process before timers and sockets have their turn: work that needs nothing but promises
 * would never let them.
 */
export const perTurn: number = 1_024

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
