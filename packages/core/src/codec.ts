import { evtError } from './errors.ts'

/** Turns payloads into bytes and back. `decode` is handed bytes from the wire: it must refuse by throwing, never hang or execute. */
export interface Codec {
  readonly contentType: string
  encode(payload: unknown): Uint8Array
  decode(bytes: Uint8Array): unknown
}

const maxDepth = 64
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** JSON as UTF-8, and `undefined` as no bytes. Refuses nesting beyond 64 levels and drops `__proto__` keys, which would otherwise travel into merges. */
export const jsonCodec: Codec = {
  contentType: 'application/json',
  encode(payload) {
    const text = JSON.stringify(payload)
    return Buffer.from(text ?? '', 'utf8')
  },
  decode(bytes) {
    if (bytes.length === 0) return undefined
    try {
      const text = utf8.decode(bytes)
      checkDepth(bytes)
      // An escaped spelling needs a backslash, so a document with neither can be parsed without a reviver.
      return text.includes('__proto__') || text.includes('\\u') ? JSON.parse(text, dropPrototype) : JSON.parse(text)
    } catch (cause) {
      throw evtError(
        'EVT_CODEC_DECODE',
        `The payload is not JSON: ${(cause as Error).message.slice(0, 200)}`,
        { contentType: 'application/json' },
        { cause },
      )
    }
  },
}

function dropPrototype(this: unknown, key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value
}

const quote = 0x22
const backslash = 0x5c

function checkDepth(bytes: Uint8Array): void {
  let depth = 0
  let inString = false
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index]!
    if (inString) {
      if (byte === backslash) index += 1
      else if (byte === quote) inString = false
    } else if (byte === quote) inString = true
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1
      if (depth > maxDepth) throw new Error(`nested deeper than ${maxDepth} levels`)
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1
  }
}
