import { type Codec, checkKnown, evtError, invalidOption, wholeNumber } from '@evt/core'
import { Packr } from 'msgpackr'
import { checkBytes } from './check-bytes.ts'

export interface MsgpackCodecOptions {
  /**
   * What integers of 64 bits arrive as: `bigint` as they were published here, or `number` where the number is exact, for
   * publishers in languages that write any large integer so. Default `bigint`.
   */
  readonly int64?: 'bigint' | 'number' | undefined
  /** Values of one payload, containers and keys included: each may take a hundred times its bytes. Default 250,000. */
  readonly maxValues?: number | undefined
}

const contentType = 'application/vnd.msgpack'

/**
 * Payloads as MessagePack: dates, bytes, bigints and undefined survive. Refuses with `EVT_CODEC_DECODE` what is not one
 * well-formed value, nests deeper than 64 levels or holds an extension type other than the timestamp; throws while
 * encoding for what it would not read again.
 */
export function msgpackCodec(options: MsgpackCodecOptions = {}): Codec {
  checkKnown('msgpackCodec', options, ['int64', 'maxValues'])
  const { int64 = 'bigint' } = options
  if (int64 !== 'bigint' && int64 !== 'number') throw invalidOption('int64', "expected 'bigint' or 'number'")
  const maxValues = wholeNumber('maxValues', options.maxValues, { min: 1, default: 250_000 })
  const packr = new Packr({
    // Records are compiled to functions, out of names that came over the wire.
    useRecords: false,
    structuredClone: false,
    moreTypes: false,
    mapsAsObjects: true,
    variableMapSize: true,
    // Otherwise what a handler does to its bytes would reach the other groups of a transport in memory.
    copyBuffers: true,
    ...(int64 === 'number' ? { int64AsType: 'auto' as never } : {}),
  })
  return {
    contentType,
    encode(payload) {
      const bytes = pack(packr, payload)
      checkBytes(bytes, maxValues)
      return bytes
    },
    decode(bytes) {
      try {
        checkBytes(bytes, maxValues)
        // A view of its own: the library leaves a property on what it reads, and cuts byte fields out in its class.
        return packr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      } catch (cause) {
        const reason = (cause as Error).message.slice(0, 200)
        throw evtError('EVT_CODEC_DECODE', `The payload is not MessagePack: ${reason}`, { contentType }, { cause })
      }
    },
  }
}

function pack(packr: Packr, payload: unknown): Uint8Array {
  try {
    return packr.pack(payload)
  } catch (cause) {
    // The library's text names options that nobody here can give.
    if (cause instanceof RangeError && cause.message.includes('64-bit'))
      throw new RangeError('a bigint has more than 64 bits', { cause })
    throw cause
  }
}
