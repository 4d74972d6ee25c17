import { type Codec, fromJson, jsonCodec } from './codec.ts'
import { receivedText } from './encoded-message.ts'
import type { Envelope } from './envelope.ts'
import { describeThrown, evtError, isEvtError } from './errors.ts'
import type { AnyEvent } from './event.ts'
import type { SchemaResult, StandardSchemaV1 } from './standard-schema.ts'
import type { TransportDelivery } from './transport.ts'

/** The codecs a bus reads with, by content type: an allow-list. */
export type CodecList = ReadonlyMap<string, Codec>

/**
 * Decodes, upcasts and validates one payload. Answers at once unless a schema is asynchronous. Throws `EVT_CODEC_UNKNOWN`,
 * `EVT_CODEC_DECODE`, `EVT_PAYLOAD_INVALID` or `EVT_PAYLOAD_VERSION`; none of them gets better by trying again.
 */
export function decodePayload(
  event: AnyEvent,
  envelope: Envelope,
  received: TransportDelivery,
  codecs: CodecList,
): unknown {
  const own = event['~event'].codec
  const codec = own.contentType === envelope.contentType ? own : codecs.get(envelope.contentType)
  if (codec === undefined) {
    const known = [own.contentType, ...codecs.keys()]
    throw evtError(
      'EVT_CODEC_UNKNOWN',
      `No codec here reads "${envelope.contentType.slice(0, 100)}"; known are ${known.join(', ')}`,
      {
        contentType: envelope.contentType,
        known,
      },
    )
  }
  // Only the JSON codec itself takes text: another one of its content type is promised bytes.
  const text = codec === jsonCodec ? receivedText(received) : undefined
  const value = text === undefined ? decodeBytes(codec, received.payload) : fromJson(text)
  return readVersion(event, envelope.version, value)
}

function decodeBytes(codec: Codec, bytes: Uint8Array): unknown {
  try {
    return codec.decode(bytes)
  } catch (cause) {
    if (isEvtError(cause)) throw cause
    const { contentType } = codec
    const text = `The payload is not ${contentType}: ${describeThrown(cause).slice(0, 200)}`
    throw evtError('EVT_CODEC_DECODE', text, { contentType }, { cause })
  }
}

function readVersion(event: AnyEvent, version: number, value: unknown): unknown {
  if (version === event.version) return validate(event, event.schema, value)
  const upcaster = version < event.version ? event['~event'].upcasters.get(version) : undefined
  if (upcaster !== undefined) {
    const migrate = (old: unknown) => validate(event, event.schema, upcaster.migrate(old as never))
    const old = validate(event, upcaster.schema, value)
    return old instanceof Promise ? old.then(migrate) : migrate(old)
  }
  // A newer or unlisted older version is read as it is where the current schema takes it: rolling deployments need that.
  try {
    const read = validate(event, event.schema, value)
    return read instanceof Promise ? read.catch((cause) => wrongVersion(event, version, cause)) : read
  } catch (cause) {
    return wrongVersion(event, version, cause)
  }
}

/** Validates a value for an event; throws or rejects with `EVT_PAYLOAD_INVALID`. */
export function validate(event: AnyEvent, schema: StandardSchemaV1, value: unknown): unknown {
  const result = schema['~standard'].validate(value)
  return result instanceof Promise ? result.then((settled) => accept(event, settled)) : accept(event, result)
}

function accept(event: AnyEvent, result: SchemaResult<unknown>): unknown {
  if (result.issues === undefined) return result.value
  const first = result.issues[0]
  const path = (first?.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
  const where = path === '' ? '' : ` at "${path.slice(0, 200)}"`
  throw evtError(
    'EVT_PAYLOAD_INVALID',
    `The payload does not fit "${event.name}"${where}: ${first?.message.slice(0, 500)}`,
    {
      event: event.name,
      issues: result.issues,
    },
  )
}

function wrongVersion(event: AnyEvent, version: number, cause: unknown): never {
  throw evtError(
    'EVT_PAYLOAD_VERSION',
    `Version ${version} of "${event.name}" cannot be read by this code, which knows version ${event.version}`,
    { event: event.name, version, known: event.version },
    { cause },
  )
}
