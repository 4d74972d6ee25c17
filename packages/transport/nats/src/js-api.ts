import { evtError } from '@evt/core'
import type { Link } from './link.ts'

/** Error codes of JetStream's API that mean something to us. */
export const jsCode = { wrongLastSequence: 10071 } as const

/** An answer of JetStream's API, or undefined where what was asked for does not exist. */
export type Ask = <Answer>(operation: string, subject: string, body: object) => Promise<Answer | undefined>

interface Failure {
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description?: string }
}

/** Calls `$JS.API`. Rejects with `EVT_NATS_REFUSED`, or `EVT_NATS_UNAVAILABLE` where trying again may help. */
export function jsApi(link: Link): Ask {
  return async (operation, subject, body) => {
    const answer = await link.request(operation, `$JS.API.${subject}`, Buffer.from(JSON.stringify(body)))
    const parsed = JSON.parse(Buffer.from(answer.data).toString('utf8')) as Failure
    const { error } = parsed
    if (error === undefined) return parsed as never
    if (error.code === 404) return undefined
    const { err_code: code = error.code, description = 'no reason given' } = error
    throw evtError(
      'EVT_NATS_REFUSED',
      `${operation}: ${description}`,
      { operation, code },
      { retryable: error.code >= 500 },
    )
  }
}

export interface StreamInfo {
  readonly config: StreamConfig
  readonly created: string
  readonly state: {
    readonly messages: number
    readonly first_seq: number
    readonly last_seq: number
    readonly subjects?: Readonly<Record<string, number>>
  }
}
export interface StreamConfig {
  readonly name: string
  readonly subjects: readonly string[]
  readonly retention: string
  readonly storage: string
  readonly num_replicas: number
  readonly duplicate_window: number
  readonly max_age: number
  readonly max_msgs_per_subject: number
  readonly no_ack: boolean
}
export interface ConsumerConfig {
  readonly durable_name?: string
  readonly name?: string
  readonly description: string
  readonly deliver_policy: string
  readonly opt_start_seq?: number
  readonly opt_start_time?: string
  readonly ack_policy: string
  readonly ack_wait: number
  readonly max_deliver: number
  readonly max_ack_pending: number
  readonly filter_subject: string
  readonly inactive_threshold?: number
  readonly backoff?: readonly number[]
  readonly headers_only?: boolean
  readonly deliver_subject?: string
  readonly filter_subjects?: readonly string[]
}
export interface ConsumerInfo {
  readonly name: string
  readonly created: string
  readonly config: ConsumerConfig
  readonly delivered: { readonly stream_seq: number; readonly consumer_seq: number }
  readonly ack_floor: { readonly stream_seq: number }
  readonly num_ack_pending: number
  readonly num_pending: number
}
export const nanosPerMs = 1_000_000
