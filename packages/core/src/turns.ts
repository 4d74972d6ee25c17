import { nextTick } from 'node:process'
// Imported, because test runners replace the globals.
import { setImmediate } from 'node:timers'

/**
 * How much may happen inside this process before timers and sockets have their turn: work that needs nothing but promises
 * would never let them.
 */
export const perTurn = 1_024

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
