import type { IncomingDelivery, Middleware } from '@evt/core'

/** A handler, with the middleware around it, that has begun and not ended. */
export interface RunningHandler {
  readonly consumer: string
  readonly type: string
  readonly id: string
  readonly attempt: number
}
/** A message on its way to the transport. */
export interface Draft {
  readonly type: string
  readonly id: string
  readonly payload: unknown
}
/** How the last run of a message ended that did not succeed. */
export interface Failure {
  readonly payload: unknown
  readonly error: unknown
}

/** Watches a bus from the outermost middleware. */
export interface Tracker {
  readonly middleware: Middleware
  readonly running: ReadonlySet<RunningHandler>
  readonly publishing: ReadonlySet<Draft>
  /** What was ever handed to a publish, by message id. */
  readonly drafts: ReadonlyMap<string, Draft>
  failure(consumer: string, id: string | undefined): Failure | undefined
}

export function createTracker(): Tracker {
  const running = new Set<RunningHandler>()
  const publishing = new Set<Draft>()
  const drafts = new Map<string, Draft>()
  const failures = new Map<string, Failure>()
  return {
    running,
    publishing,
    drafts,
    failure: (consumer, id) => failures.get(`${consumer}\n${id}`),
    middleware: {
      name: 'test-bus',
      slot: 'trace',
      async publish({ type, id, payload }, next) {
        const draft = { type, id, payload }
        publishing.add(draft)
        drafts.set(id, draft)
        try {
          await next()
        } finally {
          publishing.delete(draft)
        }
      },
      async consume(delivery, next) {
        const { consumer, type, id, attempt } = delivery
        const handler = { consumer, type, id, attempt }
        running.add(handler)
        try {
          const outcome = await next()
          if (outcome.status !== 'ack')
            failures.set(`${consumer}\n${id}`, { payload: payloadOf(delivery), error: outcome.error })
          return outcome
        } finally {
          running.delete(handler)
        }
      },
    },
  }
}

function payloadOf(delivery: IncomingDelivery): unknown {
  try {
    const { payload } = delivery
    if (!(payload instanceof Promise)) return payload
    // An asynchronous schema that refused is asked again by the look above.
    payload.catch(() => undefined)
  } catch {
    // It cannot be decoded, which the outcome says.
  }
  return undefined
}
