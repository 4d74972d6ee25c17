import type {
  AnyEvent,
  Batch,
  Delivery,
  InputOf,
  Message,
  Middleware,
  Published,
  PublishOptions,
  SubscriptionDefinition,
} from '@evt/core'
import { delegate } from './delegate.ts'

/** The same subscription, which handles one message at once and by itself, and keeps what its handler published. */
export function spyOn(definition: SubscriptionDefinition): {
  readonly definition: SubscriptionDefinition
  readonly published: readonly Message[]
} {
  const published: Message[] = []
  let returned: readonly Message[] = []
  const add = (messages: readonly Message[]) => {
    published.push(...messages.filter((message) => message.event['~event'].discards === undefined))
  }
  const watched = (delivery: Delivery): Delivery =>
    delegate(delivery, {
      async publish<E extends AnyEvent>(event: E, payload: InputOf<E>, options?: PublishOptions): Promise<Published> {
        const result = await delivery.publish(event, payload, options)
        if (result.via !== 'nowhere') add([event.of(payload, options)])
        return result
      },
      async publishDerived(messages: readonly Message[], options?: { readonly transaction?: unknown }) {
        await delivery.publishDerived(messages, options)
        add(messages)
      },
    })
  /** Innermost, so that an acknowledgement says that what the handler returned has been published. */
  const innermost: Middleware = {
    name: 'deliver-returned',
    async consume(_delivery, next) {
      const outcome = await next()
      if (outcome.status === 'ack') add(returned)
      return outcome
    },
  }
  const { options, '~subscription': work } = definition
  const single = work.kind === 'batch' ? { batch: { maxItems: 1, lingerMs: 0 } } : {}
  const spied: SubscriptionDefinition = {
    events: definition.events,
    // There is no other message that one could block.
    options: { ...options, ...single, afterDeadLetter: 'continue', use: [...(options.use ?? []), innermost] },
    '~subscription':
      work.kind === 'batch'
        ? {
            kind: 'batch',
            handler: (payloads, batch) => {
              const deliveries = batch.deliveries.map(watched)
              return work.handler(payloads, delegate<Batch, Pick<Batch, 'deliveries'>>(batch, { deliveries }))
            },
          }
        : {
            kind: 'each',
            handler: async (payload, delivery) => {
              const result = await work.handler(payload, watched(delivery))
              if (result !== undefined) returned = Array.isArray(result) ? result : [result]
              return result
            },
          },
  }
  return { definition: spied, published }
}
