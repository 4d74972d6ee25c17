import type { Logger, Middleware } from '@evt/core'

/** Values that are awkward to catch, one after the other. */
const awkward: readonly (() => unknown)[] = [
  () => new Error('thrown on purpose'),
  () => undefined,
  () => null,
  () => Object.create(null),
  () => Object.freeze({ code: 'EVT_NOT_OURS' }),
  () => 'a string',
  () => {
    const loop: { cause?: unknown } = {}
    loop.cause = loop
    return loop
  },
]

/** Throws each of them in turn, at every n-th call. */
export function throwEvery(nth: number): () => void {
  let calls = 0
  return () => {
    calls += 1
    if (calls % nth === 0) throw awkward[(calls / nth) % awkward.length]!()
  }
}

/** A logger that throws. */
export function throwingLogger(): Logger {
  const strike = throwEvery(1)
  return { debug: strike, info: strike, warn: strike, error: strike }
}

/** Middleware that throws before and after what it wraps. */
export function throwingMiddleware(): Middleware {
  const before = throwEvery(31)
  const after = throwEvery(37)
  return {
    name: 'throwing',
    async consume(_delivery, next) {
      before()
      const outcome = await next()
      after()
      return outcome
    },
  }
}
