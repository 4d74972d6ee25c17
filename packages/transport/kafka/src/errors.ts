import { evtError } from '@evt/core'

declare module '@evt/core' {
  interface EvtErrors {
    EVT_KAFKA_UNAVAILABLE: { readonly operation: string }
    EVT_KAFKA_MISSING: { readonly topic: string }
    EVT_KAFKA_CONFIG: {
      readonly topic: string
      readonly field: string
      readonly wanted: string
      readonly actual: string
    }
  }
}

/** Wraps what a client rejects with. Trying again may help. */
export function unavailable(operation: string, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause)
  return evtError('EVT_KAFKA_UNAVAILABLE', `${operation}: ${why}`, { operation }, { cause, retryable: true })
}

/** A topic is gone that is not to be made again, or that nobody has declared. */
export function topicMissing(topic: string): Error {
  return evtError('EVT_KAFKA_MISSING', `The topic ${topic} is not on the server`, { topic })
}

/** A topic exists, and what was asked for differs from how it is. */
export function topicConfig(details: {
  readonly topic: string
  readonly field: string
  readonly wanted: string
  readonly actual: string
}): Error {
  const { topic, field, wanted, actual } = details
  return evtError('EVT_KAFKA_CONFIG', `The topic ${topic} has ${field} ${actual}, not ${wanted}`, details)
}
