import type { Clock } from '../clock.ts'
import { jsonCodec, toJsonText } from '../codec.ts'
import type { ReceivedDelivery } from '../delivery.ts'
import { EncodedMessage, type EventStamp, stampOf } from '../encoded-message.ts'
import { checkMetadata, checkText, readTrace, writeHeaders } from '../envelope.ts'
import { describeThrown, evtError } from '../errors.ts'
import type { AnyEvent } from '../event.ts'
import { invalidOption } from '../options.ts'
import type { PublishOptions } from '../publish-options.ts'
import type { Headers, Outgoing } from '../transport.ts'
import { timeOrderedId, uuidv7 } from '../uuid.ts'

/** A message whose payload is validated, ready to be encoded for its topics. */
export interface Draft {
  readonly event: AnyEvent
  readonly id: string
  readonly payload: unknown
  readonly options: PublishOptions
  readonly parent: ReceivedDelivery | undefined
  /** Metadata that publishing middleware added. */
  added: Record<string, string> | undefined
}

const maxIdBytes = 512
const maxKeyBytes = 1_024
const nothing = new Uint8Array(0)

export interface Encoder {
  idOf(options: PublishOptions): string
  /** Encodes once; `rename` the result for further topics. */
  encode(draft: Draft, topic: string, byReference: boolean): Outgoing
  /** The same for a message without options. */
  encodePlain(stamp: EventStamp, topic: string, payload: unknown, byReference: boolean): EncodedMessage
  stampOf(event: AnyEvent): EventStamp
}

export function createEncoder(service: string, clock: Clock, maxPayloadBytes: number): Encoder {
  const source = `/${service}`
  let timeMs = -1
  let time = ''
  const now = () => {
    const nowMs = clock.nowMs()
    if (nowMs !== timeMs) {
      timeMs = nowMs
      time = new Date(nowMs).toISOString()
    }
    return time
  }
  const checkSize = (event: AnyEvent, bytes: number) => {
    if (bytes <= maxPayloadBytes) return
    const message = `The payload of "${event.name}" has ${bytes} bytes, at most ${maxPayloadBytes} are allowed`
    throw evtError('EVT_PAYLOAD_TOO_LARGE', message, { bytes, maxBytes: maxPayloadBytes })
  }
  return {
    idOf: (options) => (options.id === undefined ? uuidv7(clock.nowMs()) : checkId(options.id)),
    encode(draft, topic, byReference) {
      const { event, options, parent } = draft
      const { codec } = event['~event']
      const key = options.key === undefined ? keyOf(event, draft.payload) : checkKey(event, options.key)
      const headers = writeHeaders(
        {
          id: draft.id,
          type: event.name,
          source,
          time: options.time === undefined ? now() : toTime(options.time),
          contentType: codec.contentType,
          version: event.version,
          key,
          subject: options.subject === undefined ? undefined : checkText('subject', options.subject, maxKeyBytes),
          correlationId:
            options.correlationId === undefined
              ? parent?.correlationId
              : checkText('correlationId', options.correlationId, maxIdBytes),
          causationId: parent?.id,
        },
        metadataOf(draft),
        parent === undefined ? undefined : readTrace(parent.received.headers),
      )
      // A delivery without a value is read from its bytes.
      const isValue = byReference && draft.payload !== undefined
      const payload = isValue ? nothing : encodePayload(event, draft.payload)
      checkSize(event, payload.byteLength)
      return { id: draft.id, topic, key, headers, payload, value: isValue ? draft.payload : undefined }
    },
    stampOf: (event) => stampOf(event, source),
    encodePlain(stamp, topic, payload, byReference) {
      const { event } = stamp
      const key = keyOf(event, payload)
      const timeMs = clock.nowMs()
      const id = timeOrderedId(timeMs)
      if (byReference && payload !== undefined)
        return new EncodedMessage(stamp, topic, timeMs, id, { key, body: undefined, bytes: 0, value: payload })
      const body = bodyOf(event, payload)
      const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
      checkSize(event, bytes)
      return new EncodedMessage(stamp, topic, timeMs, id, { key, body, bytes, value: undefined })
    },
  }
}

/** An id that is the same for every run of the same delivery, in the form of a UUID version 8. */
export function derivedId(...parts: readonly string[]): string {
  // Lengths keep ['a', 'bc'] and ['ab', 'c'] apart.
  // Fetched here: to load it takes a third of the time that importing core may cost.
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:${part}`)
  const hex = hash.digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Encodes a payload with its event's codec, or `EVT_CODEC_ENCODE`. */
export function encodePayload(event: AnyEvent, payload: unknown): Uint8Array {
  const { codec } = event['~event']
  return encodeWith(event, payload, (value) => codec.encode(value))
}
/** The same, with JSON left as text: bytes are made of it when somebody looks at them. */
function bodyOf(event: AnyEvent, payload: unknown): Uint8Array | string {
  const { codec } = event['~event']
  return codec === jsonCodec ? encodeWith(event, payload, toJsonText) : encodePayload(event, payload)
}
function encodeWith<Body>(event: AnyEvent, payload: unknown, encode: (payload: unknown) => Body): Body {
  try {
    return encode(payload)
  } catch (cause) {
    const message = `The payload of "${event.name}" cannot be encoded: ${describeThrown(cause)}`
    throw evtError('EVT_CODEC_ENCODE', message, { event: event.name }, { cause })
  }
}

function metadataOf(draft: Draft): Headers | undefined {
  const { metadata } = draft.options
  if (metadata === undefined && draft.added === undefined) return undefined
  if (metadata !== undefined && (typeof metadata !== 'object' || Array.isArray(metadata)))
    throw invalidOption('metadata', 'expected an object of strings')
  return checkMetadata({ ...metadata, ...draft.added })
}
function checkId(id: unknown): string {
  if (id === '') throw invalidOption('id', 'expected text that is not empty')
  return checkText('id', id, maxIdBytes)
}
/** The key of a payload, where its event has one. */
function keyOf(event: AnyEvent, payload: unknown): string | undefined {
  const own = event['~event'].keyOf
  if (own === undefined) return undefined
  let key: string
  try {
    key = own(payload as never)
  } catch (cause) {
    throw invalidOption('key', `the key of "${event.name}" threw: ${describeThrown(cause)}`, cause)
  }
  return checkKey(event, key)
}

function checkKey(event: AnyEvent, key: unknown): string {
  if (typeof key !== 'string' || key === '')
    throw invalidOption('key', `the key of "${event.name}" must be text that is not empty`)
  return checkText('key', key, maxKeyBytes)
}
function toTime(time: unknown): string {
  if (time instanceof Date && !Number.isNaN(time.getTime())) return time.toISOString()
  throw invalidOption('time', 'expected a valid Date')
}
