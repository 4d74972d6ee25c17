import { create, type DescMessage, fromBinary, isMessage, toBinary } from '@bufbuild/protobuf'
import { type Codec, checkKnown, evtError, invalidOption, wholeNumber } from '@evt/core'
import { checkWire } from './check-wire.ts'
import { messageShape } from './message-shape.ts'

export interface ProtobufCodecOptions {
  /**
   * What becomes of fields that the schema does not have: `drop` reads messages of newer publishers without them,
   * `refuse` does not read such messages. Default `drop`.
   */
  readonly unknownFields?: 'drop' | 'refuse' | undefined
  /** Fields and list elements of one payload: each may take a hundred times its bytes. Default 250,000. */
  readonly maxValues?: number | undefined
}

const contentType = 'application/protobuf'

/**
 * Payloads as Protocol Buffers of one message type: give it to the one event whose payload that is. Encodes messages and
 * what `create` takes. Refuses with `EVT_CODEC_DECODE` what is no such message, nests deeper than 64 levels or holds a
 * field of another wire type; throws while encoding for what it would not read again.
 */
export function protobufCodec(schema: DescMessage, options: ProtobufCodecOptions = {}): Codec {
  if (schema?.kind !== 'message') throw invalidOption('schema', 'expected the descriptor of a message')
  checkKnown('protobufCodec', options, ['unknownFields', 'maxValues'])
  const { unknownFields = 'drop' } = options
  if (unknownFields !== 'drop' && unknownFields !== 'refuse')
    throw invalidOption('unknownFields', "expected 'drop' or 'refuse'")
  const shape = messageShape(schema)
  const limits = {
    maxValues: wholeNumber('maxValues', options.maxValues, { min: 1, default: 250_000 }),
    refuseUnknown: unknownFields === 'refuse',
  }
  return {
    contentType,
    encode(payload) {
      // What another descriptor would lose in silence.
      if (typeof payload !== 'object' || payload === null) throw new Error(`expected a message ${schema.typeName}`)
      const given = (payload as { readonly $typeName?: unknown }).$typeName
      if (given !== undefined && given !== schema.typeName)
        throw new Error(`expected a message ${schema.typeName}, not ${String(given)}`)
      const message = isMessage(payload, schema) ? payload : create(schema, payload as never)
      const bytes = toBinary(schema, message, { writeUnknownFields: false })
      checkWire(shape, bytes, limits)
      return bytes
    },
    decode(bytes) {
      try {
        checkWire(shape, bytes, limits)
        // A copy, since byte fields are cut out of what is read: what a handler does to them must not reach other groups.
        return fromBinary(schema, new Uint8Array(bytes), { readUnknownFields: false })
      } catch (cause) {
        const reason = (cause as Error).message.slice(0, 200)
        throw evtError(
          'EVT_CODEC_DECODE',
          `The payload is not a ${schema.typeName}: ${reason}`,
          { contentType },
          { cause },
        )
      }
    },
  }
}
