import type { AnyEvent } from './event.ts'
import { type MessageOptions, makeMessage } from './message.ts'
import { invalidOption } from './options.ts'

/** The same event, published nowhere: payloads are validated, ids made, and nothing is sent or stored. */
export function discard<E extends AnyEvent>(event: E): E {
  if (event?.['~event'] === undefined) throw invalidOption('event', 'expected what defineEvent returns')
  // `of` of the original makes messages of the original, which would be published.
  const discarded: E = Object.freeze({
    ...event,
    of: (payload: unknown, options?: MessageOptions) => makeMessage(discarded, payload, options),
    '~event': { ...event['~event'], discards: event },
  })
  return discarded
}
