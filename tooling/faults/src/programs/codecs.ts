import type { JsonObject } from '@bufbuild/protobuf'
import { type Codec, jsonCodec } from '@evt/core'

/** A codec, and how a message of the suite looks in it. */
export interface Format {
  readonly codec: Codec
  payload(number: number): unknown
}

/** Loaded by those alone that use them. */
export async function allFormats(): Promise<readonly Format[]> {
  const [{ msgpackCodec }, { protobufCodec }, { fromJson }, { StructSchema }] = await Promise.all([
    import('@evt/codec-msgpack'),
    import('@evt/codec-protobuf'),
    import('@bufbuild/protobuf'),
    import('@bufbuild/protobuf/wkt'),
  ])
  const payload = (number: number): JsonObject => ({ number, key: '', failures: 0, padding: '' })
  return [
    { codec: jsonCodec, payload },
    { codec: msgpackCodec(), payload },
    { codec: protobufCodec(StructSchema), payload: (number) => fromJson(StructSchema, payload(number)) },
  ]
}
