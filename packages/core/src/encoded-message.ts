import { type Envelope, writeHeaders } from './envelope.ts'
import type { AnyEvent } from './event.ts'
import type { Headers, Outgoing } from './transport.ts'
import type { TimeOrderedId } from './uuid.ts'

/** What all messages have in common that one bus publishes of one event. */
export interface EventStamp {
  readonly event: AnyEvent
  readonly source: string
}

/** What one message has for itself. */
export interface EncodedContent {
  readonly key: string | undefined
  readonly payload: Uint8Array
  readonly value: unknown
}

/**
 * A message on its way to a transport of this process. Its headers are written when somebody looks at them: handlers
 * that look at the payload alone never pay for them.
 */
export class EncodedMessage implements Outgoing {
  readonly stamp: EventStamp
  readonly topic: string
  readonly timeOrderedId: TimeOrderedId
  readonly timeMs: number
  readonly key: string | undefined
  readonly payload: Uint8Array
  readonly value: unknown
  #id: string | undefined
  #headers: Headers | undefined

  constructor(stamp: EventStamp, topic: string, timeMs: number, id: TimeOrderedId, content: EncodedContent) {
    this.stamp = stamp
    this.topic = topic
    this.timeMs = timeMs
    this.timeOrderedId = id
    this.key = content.key
    this.payload = content.payload
    this.value = content.value
  }
  get id(): string {
    this.#id ??= this.timeOrderedId.toString()
    return this.#id
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
