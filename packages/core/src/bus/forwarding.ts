import { crashPoint } from '../crash-point.ts'
import type { IncomingDelivery, ReceivedDelivery } from '../delivery.ts'
import { checkText } from '../envelope.ts'
import { evtError, isEvtError } from '../errors.ts'
import type { AnyEvent } from '../event.ts'
import { headerTable } from '../header-table.ts'
import type { Middleware } from '../middleware.ts'
import { acknowledged } from '../outcome.ts'
import type { Headers, Outgoing } from '../transport.ts'
import type { BusContext } from './context.ts'
import { encodePayload } from './encoder.ts'

/** The transports that a message has come over already, by their names, oldest first. */
const pathHeader = 'evt-bridged'
const legalName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
const maxHeaderBytes = 16_384
/** How long a message waits for a target that is away. */
const blockedMs = 1_000

/** Takes the place of the handler: hands a message on to another transport of the bus, its payload unread. */
export function forwarding(bus: BusContext, event: AnyEvent, from: string, to: string): Middleware {
  const target = bus.router.port(to)
  return {
    name: `bridge to ${to}`,
    async consume(delivery) {
      const path = pathOf(delivery)
      // It has been there: sending it back would never end.
      if (path.includes(to)) return acknowledged
      try {
        const outgoing = forwarded(delivery as ReceivedDelivery, event, target.topicOf(event.name), [...path, from])
        await target.publisher.publish(outgoing)
      } catch (error) {
        // The way out is blocked: the message has not failed.
        if (isEvtError(error, 'EVT_PUBLISH_UNAVAILABLE', 'EVT_PUBLISH_UNKNOWN'))
          return { status: 'retry', afterMs: blockedMs, error, counted: false }
        return { status: 'reject', error }
      }
      crashPoint('bridge.forwarded')
      return acknowledged
    },
  }
}

function pathOf(delivery: IncomingDelivery): readonly string[] {
  const path = (delivery as ReceivedDelivery).received.headers[pathHeader]
  return path === undefined ? [] : path.split(',')
}

function forwarded(delivery: ReceivedDelivery, event: AnyEvent, topic: string, path: readonly string[]): Outgoing {
  const { received, id } = delivery
  const payload = received.value === undefined ? received.payload : encodePayload(event, received.value)
  const key = received.key === undefined ? undefined : checkText('key', received.key, maxHeaderBytes)
  return { id, topic, key, headers: { ...legalHeaders(received.headers), [pathHeader]: path.join(',') }, payload }
}

/** What one broker carries as a value would end a header, and begin another, on the next. */
function legalHeaders(headers: Headers): Headers {
  const legal = headerTable()
  for (const name in headers) {
    // Its own transport's, which mean nothing on another.
    if (/^evt[-_]/i.test(name)) continue
    try {
      if (!legalName.test(name)) throw new Error('its name is not legal')
      legal[name] = checkText(name, headers[name], maxHeaderBytes)
    } catch (cause) {
      const field = name.slice(0, 128).replace(/[^\x20-\x7e]/g, '?')
      const reason = (cause as Error).message
      throw evtError('EVT_ENVELOPE_INVALID', `The header "${field}" cannot travel on: ${reason}`, { field, reason })
    }
  }
  return legal
}
