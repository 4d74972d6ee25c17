import { setImmediate as immediate, setTimeout as timeout } from 'node:timers/promises'

// Taken once: fake timers of a test runner replace the global ones afterwards.
const readRealMs = performance.now.bind(performance)

/** One turn of the event loop: every promise that needs no I/O has settled when it resolves. */
export async function turn(): Promise<void> {
  await immediate()
}

/** Real time passes. */
export async function pause(delayMs: number): Promise<void> {
  await timeout(delayMs)
}

export function realNowMs(): number {
  return readRealMs()
}

/** What work comes to, or undefined once so much real time has passed. */
export async function withinReal<Value>(work: Promise<Value>, deadlineMs: number): Promise<Value | undefined> {
  const stop = new AbortController()
  const late = timeout(deadlineMs, undefined, { signal: stop.signal }).catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    stop.abort()
  }
}
