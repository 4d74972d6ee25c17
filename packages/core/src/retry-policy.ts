import { checkBoolean, checkFunction, checkKnown, invalidOption, wholeNumber } from './options.ts'
import { acknowledged, asControlFlow, type Outcome } from './outcome.ts'

export interface RetryPolicy {
  /** Runs in all, the first included. Default 5. */
  readonly attempts?: number | undefined
  readonly backoff?: Backoff | undefined
  /** What an error asks for; `undefined` means by policy. */
  readonly classify?:
    | ((error: unknown, attempt: number) => 'retry' | 'reject' | { readonly afterMs: number } | undefined)
    | undefined
}
export interface Backoff {
  /** First gap in milliseconds. Default 1,000. */
  readonly minMs?: number | undefined
  /** Longest gap in milliseconds. Default 300,000. */
  readonly maxMs?: number | undefined
  /** Growth per attempt. Default 2. */
  readonly factor?: number | undefined
  /** A random part of the gap instead of all of it. Default true. */
  readonly jitter?: boolean | undefined
}

/** Turns what a run threw into its outcome. */
export interface RetryDecision {
  readonly attempts: number
  decide(thrown: unknown, attempt: number): Outcome
}

/** Parses a policy. Full jitter: a uniform part of the exponential gap, as in the AWS builders' library on back-off. */
export function retryDecision(
  policy: RetryPolicy = {},
  random: () => number = Math.random,
  report: (error: unknown) => void = () => {},
): RetryDecision {
  checkKnown('retry', policy, ['attempts', 'backoff', 'classify'])
  const backoff = policy.backoff ?? {}
  checkKnown('retry.backoff', backoff, ['minMs', 'maxMs', 'factor', 'jitter'])
  const attempts = wholeNumber('retry.attempts', policy.attempts, { min: 1, default: 5 })
  const minMs = wholeNumber('retry.backoff.minMs', backoff.minMs, { min: 0, default: 1_000 })
  const maxMs = wholeNumber('retry.backoff.maxMs', backoff.maxMs, { min: minMs, default: Math.max(minMs, 300_000) })
  const factor = backoff.factor ?? 2
  if (!(typeof factor === 'number' && factor >= 1))
    throw invalidOption('retry.backoff.factor', 'expected a number of at least 1')
  checkBoolean('retry.backoff.jitter', backoff.jitter)
  const { classify } = policy
  if (classify !== undefined) checkFunction('retry.classify', classify)
  const jitter = backoff.jitter ?? true

  const gapMs = (attempt: number) => {
    const fullMs = Math.min(maxMs, minMs * factor ** (attempt - 1))
    return jitter ? Math.round(fullMs * random()) : fullMs
  }
  const wishOf = (error: unknown, attempt: number) => {
    try {
      const wish = classify?.(error, attempt)
      if (wish === 'reject') return wish
      const afterMs = typeof wish === 'object' ? wish?.afterMs : undefined
      return afterMs !== undefined && Number.isFinite(afterMs) && afterMs >= 0 ? { afterMs } : undefined
    } catch (thrown) {
      report(thrown)
      return undefined
    }
  }
  const decide = (thrown: unknown, attempt: number): Outcome => {
    const flow = asControlFlow(thrown)
    if (flow?.action === 'acknowledge') return acknowledged
    if (flow?.action === 'reject') return { status: 'reject', error: flow.cause }
    if (flow !== undefined && !flow.counted) {
      return { status: 'retry', afterMs: flow.afterMs ?? gapMs(1), error: flow.cause, counted: false }
    }
    const error = flow === undefined ? thrown : flow.cause
    const wish = flow === undefined ? wishOf(error, attempt) : undefined
    if (wish === 'reject') return { status: 'reject', error }
    if (attempt >= attempts) return { status: 'reject', error, exhausted: true }
    const afterMs = flow?.afterMs ?? wish?.afterMs ?? gapMs(attempt)
    return { status: 'retry', afterMs, error, counted: true }
  }
  return { attempts, decide }
}
