import type { NatsClient, NatsMessage, NatsSubscription } from './client.ts'
import { denied } from './errors.ts'

/** A subscription whose end is known: the client drops one that the server denies, and a later reconnect does not bring it back. */
export interface Listening {
  /** Why the server does not let us listen, until it is asked again. */
  readonly denied: Error | undefined
  /**
   * Resolves when the server has the subscription, after asking again for one that it denied. Rejects with
   * `EVT_NATS_DENIED` where it denies it.
   */
  confirmed(): Promise<void>
  unsubscribe(): void
  /** Unsubscribes and resolves when what was under way has arrived. */
  drain(): Promise<void>
}
export interface ListeningParts {
  readonly client: NatsClient
  readonly subject: string
  readonly queue?: string | undefined
  confirm(operation: string): Promise<void>
  take(message: NatsMessage): void
  onDenied(): void
}

export function listen({ client, subject, queue, confirm, take, onDenied }: ListeningParts): Listening {
  const current: { denied: Error | undefined; subscription: NatsSubscription } = {
    denied: undefined,
    subscription: subscribe(),
  }
  function subscribe(): NatsSubscription {
    return client.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback(error, message) {
        if (error === null) return take(message)
        current.denied = denied('subscribe', subject, error)
        onDenied()
      },
    })
  }
  return {
    get denied() {
      return current.denied
    },
    async confirmed() {
      if (current.denied !== undefined) {
        current.denied = undefined
        current.subscription = subscribe()
      }
      // The server answers in order: had it said no, that would be here before this.
      await confirm(`Subscribing to ${subject}`)
      if (current.denied !== undefined) throw current.denied
    },
    unsubscribe: () => current.subscription.unsubscribe(),
    drain: () => current.subscription.drain(),
  }
}
