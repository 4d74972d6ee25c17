import type { SchemaIssue } from './standard-schema.ts'
import type { PublishFailure } from './transport.ts'

/** Every error code of core with the shape of its details. Capabilities extend it by declaration merging. */
export interface EvtErrors {
  EVT_CODEC_DECODE: { readonly contentType: string }
  EVT_CODEC_ENCODE: { readonly event: string }
  EVT_CODEC_UNKNOWN: { readonly contentType: string; readonly known: readonly string[] }
  EVT_CONTEXT_MISSING: { readonly key: string }
  EVT_ENVELOPE_INVALID: { readonly field: string; readonly reason: string }
  EVT_BUS_CLOSED: { readonly service: string }
  EVT_EVENT_DUPLICATE: { readonly event: string }
  EVT_GROUP_SHARED: { readonly group: string; readonly event: string }
  EVT_HANDLER_RESULT: { readonly consumer: string; readonly result: string }
  EVT_HANDLER_TIMEOUT: { readonly consumer: string; readonly timeoutMs: number }
  EVT_KEY_BLOCKED: { readonly consumer: string; readonly key: string }
  EVT_LEASE_LOST: { readonly messageId: string }
  EVT_METADATA_INVALID: { readonly name: string; readonly reason: string }
  EVT_MIDDLEWARE_NEXT: Readonly<Record<never, never>>
  EVT_NAME_INVALID: { readonly kind: string; readonly name: string }
  EVT_OPTION_INVALID: { readonly option: string; readonly reason: string }
  EVT_OPTION_UNKNOWN: { readonly option: string; readonly known: readonly string[] }
  EVT_PAYLOAD_INVALID: { readonly event: string; readonly issues: readonly SchemaIssue[] }
  EVT_PAYLOAD_TOO_LARGE: { readonly bytes: number; readonly maxBytes: number }
  EVT_OPTION_UNSUPPORTED: { readonly option: string; readonly transport: string }
  EVT_OUTBOX_NO_TRANSACTION: { readonly outbox: string }
  EVT_OUTBOX_SHARED: { readonly outbox: string }
  EVT_PAYLOAD_VERSION: { readonly event: string; readonly version: number; readonly known: number }
  EVT_POISON: { readonly consumer: string; readonly attempts: number }
  EVT_PUBLISH_PARTIAL: { readonly failures: readonly PublishFailure[]; readonly ids: readonly string[] }
  EVT_PUBLISH_REFUSED: { readonly id: string; readonly transport: string }
  EVT_PUBLISH_UNAVAILABLE: { readonly id: string; readonly transport: string }
  EVT_PUBLISH_UNKNOWN: { readonly id: string; readonly transport: string }
  EVT_READ_STUCK: { readonly consumer: string; readonly waitMs: number }
  EVT_SHUTDOWN: { readonly consumer: string }
  EVT_SUBSCRIPTION_MODE: { readonly events: readonly string[] }
  EVT_TRANSACTION_FOREIGN: { readonly expected: string; readonly actual: string }
  EVT_TRANSACTION_REQUIRED: { readonly event: string }
  EVT_TRANSACTION_UNSUPPORTED: { readonly service: string }
  EVT_DEAD_LETTERS_FULL: { readonly maxDeadLetters: number }
  EVT_TRANSPORT_CLOSED: { readonly transport: string }
  EVT_TRANSPORT_FULL: { readonly topic: string }
  EVT_TRANSPORT_PARTITIONS: {
    readonly topic: string
    readonly wanted: number | undefined
    readonly actual: number | undefined
  }
  EVT_TRANSPORT_UNKNOWN: { readonly transport: string; readonly known: readonly string[] }
  EVT_TX_CLOSED: { readonly outbox: string }
  EVT_TX_OUTCOME_UNKNOWN: { readonly outbox: string }
}
export type EvtErrorCode = keyof EvtErrors

/** An error of this library: a stable code, typed details, whether trying again may help, and the cause. */
export interface EvtError<Code extends EvtErrorCode = EvtErrorCode> extends Error {
  readonly code: Code
  readonly details: EvtErrors[Code]
  readonly retryable: boolean
}

// A registered symbol, so that two installed copies of core recognise each other's errors.
const brand = Symbol.for('evt.error')

/** Makes an error with a code of the list. `retryable` defaults to false. */
export function evtError<Code extends EvtErrorCode>(
  code: Code,
  message: string,
  details: EvtErrors[Code],
  options: { readonly cause?: unknown; readonly retryable?: boolean | undefined } = {},
): EvtError<Code> {
  const error = new Error(message, 'cause' in options ? { cause: options.cause } : undefined)
  error.name = 'EvtError'
  Object.defineProperty(error, brand, { value: true })
  return Object.assign(error, { code, details, retryable: options.retryable ?? false })
}

/** The text of whatever was thrown. Never throws itself, which `String` does for objects without a prototype. */
export function describeThrown(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown)
  } catch {
    return Object.prototype.toString.call(thrown)
  }
}

/** Narrows to an error of this library, with no codes given to any of them. Works across installed copies. */
export function isEvtError<Code extends EvtErrorCode = EvtErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is { [C in Code]: EvtError<C> }[Code] {
  if (typeof error !== 'object' || error === null || !(brand in error)) return false
  return codes.length === 0 || codes.includes((error as unknown as EvtError).code as Code)
}
