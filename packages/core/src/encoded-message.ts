import { type Envelope, writeHeaders } from './envelope.ts'
import type { AnyEvent } from './event.ts'
import type { Headers, Outgoing } from './transport.ts'

/** What all messages have in common that one bus publishes of one event. */
export interface EventStamp {
  readonly event: AnyEvent
  readonly source: string
}

/**
 * A message on its way to a transport of this process. Its headers are written when somebody looks at them: handlers
 * that look at the payload alone never pay for them.
 */
export class EncodedMessage implements Outgoing {
  readonly id: string
  readonly topic: string
  readonly key: string | undefined
  readonly payload: Uint8Array
  readonly value: unknown
  readonly stamp: EventStamp
  readonly timeMs: number
  #headers: Headers | undefined

  constructor(
    stamp: EventStamp,
    topic: string,
    message: {
      readonly id: string
      readonly key: string | undefined
      readonly timeMs: number
      readonly payload: Uint8Array
      readonly value: unknown
    },
  ) {
    this.stamp = stamp
    this.topic = topic
    this.id = message.id
    this.key = message.key
    this.payload = message.payload
    this.value = message.value
    this.timeMs = message.timeMs
  }
  get headers(): Headers {
    this.#headers ??= writeHeaders(this.envelope, undefined, undefined)
    return this.#headers
  }
  get envelope(): Envelope {
    const { event, source } = this.stamp
    return {
      id: this.id,
      type: event.name,
      source,
      time: new Date(this.timeMs).toISOString(),
      contentType: event['~event'].codec.contentType,
      version: event.version,
      key: this.key,
      subject: undefined,
      correlationId: undefined,
      causationId: undefined,
    }
  }
}

/** Where a delivery of this process has the message it was made from. A symbol, so that nothing from a wire can have it. */
export const encoded = Symbol('encoded')

/** The message itself, where a delivery never left the process. */
export function encodedMessage(delivery: object): EncodedMessage | undefined {
  return (delivery as { readonly [encoded]?: EncodedMessage })[encoded]
}
