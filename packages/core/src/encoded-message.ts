import { type Envelope, writeHeaders } from './envelope.ts'
import type { AnyEvent } from './event.ts'
import type { Headers, Outgoing } from './transport.ts'
import type { TimeOrderedId } from './uuid.ts'

/** What all messages have in common that one bus publishes of one event. */
export interface EventStamp {
  readonly event: AnyEvent
  readonly source: string
}

const nothing = new Uint8Array(0)

/** What one message has for itself. */
export interface EncodedContent {
  readonly key: string | undefined
  /** What the codec made of the payload, JSON still as text; undefined where `value` goes by reference. */
  readonly body: Uint8Array | string | undefined
  readonly bytes: number
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
  readonly body: Uint8Array | string | undefined
  /** Of the payload. */
  readonly bytes: number
  readonly value: unknown
  #payload: Uint8Array | undefined
  #id: string | undefined
  #headers: Headers | undefined

  constructor(stamp: EventStamp, topic: string, timeMs: number, id: TimeOrderedId, content: EncodedContent) {
    this.stamp = stamp
    this.topic = topic
    this.timeMs = timeMs
    this.timeOrderedId = id
    this.key = content.key
    this.body = content.body
    this.bytes = content.bytes
    this.value = content.value
  }
  get id(): string {
    this.#id ??= this.timeOrderedId.toString()
    return this.#id
  }
  /** The bytes, also of what goes by reference: a dead letter keeps them. */
  get payload(): Uint8Array {
    this.#payload ??= this.#encode()
    return this.#payload
  }
  #encode(): Uint8Array {
    const { body, value } = this
    if (body !== undefined) return typeof body === 'string' ? Buffer.from(body, 'utf8') : body
    try {
      return this.stamp.event['~event'].codec.encode(value)
    } catch {
      // By reference also goes what no codec can write. There is nothing to keep of it but its headers.
      return nothing
    }
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

/** The message itself, where a delivery never left the process. Its class is core's own: nothing from a wire can pass for it. */
export function encodedMessage(delivery: object): EncodedMessage | undefined {
  const outgoing = (delivery as { readonly '~outgoing'?: unknown })['~outgoing']
  return outgoing instanceof EncodedMessage ? outgoing : undefined
}

/** The size of a payload that need not be bytes yet. */
export function payloadBytes(outgoing: Outgoing): number {
  return outgoing instanceof EncodedMessage ? outgoing.bytes : outgoing.payload.byteLength
}
