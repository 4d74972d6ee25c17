import { evtError } from '@evt/core'

declare module '@evt/core' {
  interface EvtErrors {
    EVT_NATS_CONFIG: {
      readonly what: string
      readonly field: string
      readonly wanted: unknown
      readonly actual: unknown
    }
    EVT_NATS_DENIED: { readonly permission: 'subscribe' | 'publish'; readonly subject: string }
    EVT_NATS_MISSING: { readonly what: string }
    EVT_NATS_REFUSED: { readonly operation: string; readonly code: number }
    EVT_NATS_SERVER: { readonly version: string; readonly needed: string }
    EVT_NATS_UNAVAILABLE: { readonly operation: string }
  }
}

/** The server or the way to it is what failed: trying again later may help. */
export function unavailable(operation: string, why: string): Error {
  return evtError('EVT_NATS_UNAVAILABLE', `${operation}: ${why}`, { operation }, { retryable: true })
}
/** The user we are connected as has no permission. One that gets it later is served then. */
export function denied(permission: 'subscribe' | 'publish', subject: string, cause?: unknown): Error {
  const text = `NATS denies this user the permission to ${permission} to "${subject}"`
  return evtError('EVT_NATS_DENIED', text, { permission, subject }, { cause })
}
export function missing(what: string): Error {
  return evtError('EVT_NATS_MISSING', `${what} is not on the server`, { what })
}
/** Two services want one stream or consumer in different ways. Nothing is overwritten. */
export function differs(what: string, field: string, wanted: unknown, actual: unknown): Error {
  const text = `${what} exists with ${field} ${JSON.stringify(actual)}, wanted is ${JSON.stringify(wanted)}`
  return evtError('EVT_NATS_CONFIG', text, { what, field, wanted, actual })
}
