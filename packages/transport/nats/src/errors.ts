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
export function unavailable(operation: string, why: string, cause?: unknown): Error {
  return evtError('EVT_NATS_UNAVAILABLE', `${operation}: ${why}`, { operation }, { cause, retryable: true })
}

const noServer = /^(CONNECTION_REFUSED|CONNECTION_TIMEOUT|CONNECTION_CLOSED|DISCONNECT|TIMEOUT|AUTHENTICATION_TIMEOUT)$/
const noNetwork = /^E(AI_)?[A-Z]+$/

/** What the client or the network says when there is no server to connect to; anything else is returned as it is. */
export function cannotConnect(error: unknown): unknown {
  const { code, message, chainedError } = (error ?? {}) as { [Key in 'code' | 'message' | 'chainedError']?: unknown }
  if (typeof code !== 'string' || !(noServer.test(code) || noNetwork.test(code))) return error
  // The client's own message is its code. What it was told names the address as it was dialled, so without credentials.
  const { syscall, message: told } = (chainedError ?? {}) as { readonly syscall?: unknown; readonly message?: unknown }
  return unavailable('Opening', `NATS cannot be reached: ${syscall === undefined ? message : told}`, error)
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
