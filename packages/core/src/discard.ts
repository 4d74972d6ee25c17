import type { AnyEvent } from './event.ts'

/** The same event, published nowhere: payloads are validated, ids made, and nothing is sent or stored. */
export function discard<E extends AnyEvent>(event: E): E {
  return Object.freeze({ ...event, '~event': { ...event['~event'], discards: event } })
}
