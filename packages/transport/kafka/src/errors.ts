import { evtError } from '@evt/core'

declare module '@evt/core' {
  interface EvtErrors {
    EVT_KAFKA_UNAVAILABLE: { readonly operation: string }
  }
}

/** Wraps what a client rejects with. Trying again may help. */
export function unavailable(operation: string, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause)
  return evtError('EVT_KAFKA_UNAVAILABLE', `${operation}: ${why}`, { operation }, { cause, retryable: true })
}
