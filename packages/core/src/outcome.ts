import { describeThrown } from './errors.ts'
import { checkBoolean, checkKnown, invalidOption } from './options.ts'

/** What a delivery came to. Decided once, then handed to every middleware as a value. */
export type Outcome =
  | { readonly status: 'ack' }
  /** `counted` is false where the message itself did not fail: no attempt is burnt. */
  | { readonly status: 'retry'; readonly afterMs: number; readonly error: unknown; readonly counted: boolean }
  /** `exhausted` where the last of its runs failed; else nothing failed, the message was not wanted. */
  | { readonly status: 'reject'; readonly error: unknown; readonly exhausted?: true | undefined }

export const acknowledged: Outcome = Object.freeze({ status: 'ack' })

const brand = Symbol.for('evt.controlFlow')
interface ControlFlow {
  readonly [brand]: 'acknowledge' | 'retry' | 'reject'
  readonly cause: unknown
  readonly afterMs: number | undefined
  readonly counted: boolean
}

export interface RetryOptions {
  /** At least this much later. Default: by the retry policy. */
  readonly afterMs?: number | undefined
  /** `false` where the message did not fail, such as a store that is down: burns no attempt. Default true. */
  readonly counted?: boolean | undefined
}

/** Ends the handler: deliver this message again. Throws. */
export function retry(cause: unknown, options: RetryOptions = {}): never {
  throw controlFlow('retry', cause, options)
}

/** Ends the handler: this message cannot succeed, dead-letter it now. Throws. */
export function reject(cause: unknown): never {
  throw controlFlow('reject', cause, {})
}

/** Ends the handler: what it did is durable, so it counts although its timeout has passed meanwhile. Throws. */
export function acknowledge(): never {
  throw controlFlow('acknowledge', 'the work is done', {})
}

/** What a thrown value asks for, or undefined where it is an ordinary error. */
export function asControlFlow(thrown: unknown):
  | {
      readonly action: 'acknowledge' | 'retry' | 'reject'
      readonly cause: unknown
      readonly afterMs: number | undefined
      readonly counted: boolean
    }
  | undefined {
  if (typeof thrown !== 'object' || thrown === null || !(brand in thrown)) return undefined
  const flow = thrown as unknown as ControlFlow
  return { action: flow[brand], cause: flow.cause, afterMs: flow.afterMs, counted: flow.counted }
}

function controlFlow(action: ControlFlow[typeof brand], cause: unknown, options: RetryOptions): Error {
  checkKnown('retry', options, ['afterMs', 'counted'])
  checkBoolean('retry.counted', options.counted)
  const { afterMs } = options
  if (afterMs !== undefined && !(Number.isFinite(afterMs) && afterMs >= 0))
    throw invalidOption('retry.afterMs', 'expected milliseconds, 0 or more')
  const error = new Error(`${action}: ${describeThrown(cause)}`, { cause })
  return Object.defineProperties(error, {
    [brand]: { value: action },
    afterMs: { value: afterMs },
    counted: { value: options.counted ?? true },
  })
}
