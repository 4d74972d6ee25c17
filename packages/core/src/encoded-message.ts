import { type Envelope, writeHeaders } from './envelope.ts'
import type { AnyEvent } from './event.ts'
import { StoredText } from './stored-text.ts'
import type { Headers, Outgoing, TransportDelivery } from './transport.ts'
import type { TimeOrderedId } from './uuid.ts'

/** What all messages have in common that one bus publishes of one event. */
export interface EventStamp {
  readonly event: AnyEvent
  readonly source: string
  /** Headers as JSON, as far as they are the same for all; open at the end. */
  readonly headersText: string
}

export function stampOf(event: AnyEvent, source: string): EventStamp {
  const {
    'ce-id': _id,
    'ce-time': _time,
    ...common
  } = writeHeaders(envelopeOf(event, source, '', '', undefined), undefined, undefined)
  return { event, source, headersText: JSON.stringify(common).slice(0, -1) }
}

function envelopeOf(event: AnyEvent, source: string, id: string, time: string, key: string | undefined): Envelope {
  return {
    id,
    type: event.name,
    source,
    time,
    contentType: event['~event'].codec.contentType,
    version: event.version,
    key,
    subject: undefined,
    correlationId: undefined,
    causationId: undefined,
  }
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
 * A message without options on its way to its transport. Its headers, and the bytes of its payload, are made when somebody
 * looks at them: in this process most handlers look at the payload alone, and some brokers' clients take text.
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
    return envelopeOf(event, source, this.id, timeText(this.timeMs), this.key)
  }
}

let lastMs = -1
let lastTime = ''
/** Messages of one burst share their time. */
function timeText(ms: number): string {
  if (ms !== lastMs) {
    lastTime = new Date(ms).toISOString()
    lastMs = ms
  }
  return lastTime
}

/** The message itself, where a delivery never left the process. Its classes are core's own: nothing from a wire can pass for them. */
function outgoingOf(delivery: object): EncodedMessage | StoredText | undefined {
  const outgoing = (delivery as { readonly '~outgoing'?: unknown })['~outgoing']
  return outgoing instanceof EncodedMessage || outgoing instanceof StoredText ? outgoing : undefined
}
/** The same where this process has made it. */
export function encodedMessage(delivery: object): EncodedMessage | undefined {
  const outgoing = outgoingOf(delivery)
  return outgoing instanceof EncodedMessage ? outgoing : undefined
}

/** The size of a payload that need not be bytes yet. */
export function payloadBytes(outgoing: Outgoing): number {
  return outgoing instanceof EncodedMessage || outgoing instanceof StoredText
    ? outgoing.bytes
    : outgoing.payload.byteLength
}
/** The same of a delivery. */
export function receivedBytes(delivery: TransportDelivery): number {
  const outgoing = outgoingOf(delivery)
  return outgoing === undefined ? delivery.payload.byteLength : outgoing.bytes
}

/** The payload as text, where it need not be bytes. */
export function payloadText(outgoing: Outgoing): string | undefined {
  if (!(outgoing instanceof EncodedMessage || outgoing instanceof StoredText)) return undefined
  return typeof outgoing.body === 'string' ? outgoing.body : undefined
}
/** The same of a delivery. */
export function receivedText(delivery: TransportDelivery): string | undefined {
  const outgoing = outgoingOf(delivery)
  return typeof outgoing?.body === 'string' ? outgoing.body : undefined
}

/** The headers as JSON. */
export function headersText(outgoing: Outgoing): string {
  if (outgoing instanceof StoredText) return outgoing.headersText
  if (!(outgoing instanceof EncodedMessage)) return JSON.stringify(outgoing.headers)
  const { stamp, id, timeMs, key } = outgoing
  const end = key === undefined ? '"}' : `","ce-partitionkey":${JSON.stringify(key)}}`
  return `${stamp.headersText},"ce-time":"${timeText(timeMs)}","ce-id":"${id}${end}`
}
