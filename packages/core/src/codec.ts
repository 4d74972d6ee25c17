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
  encode: (payload) => Buffer.from(toJsonText(payload), 'utf8'),
  decode: (bytes) => fromJson(bytes),
}

/** The text whose bytes the JSON codec writes: inside one process nobody needs the bytes. */
export function toJsonText(payload: unknown): string {
  const text = JSON.stringify(payload)
  if (text !== undefined || payload === undefined) return text ?? ''
  throw new TypeError(`JSON makes nothing of a ${typeof payload}`)
}

/** Reads what the JSON codec wrote, as bytes or still as text. Throws `EVT_CODEC_DECODE`. */
export function fromJson(json: Uint8Array | string): unknown {
  if (json.length === 0) return undefined
  try {
    const text = typeof json === 'string' ? json : utf8.decode(json)
    checkDepth(text)
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
}

function dropPrototype(this: unknown, key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value
}

const quote = 0x22
const backslash = 0x5c

function checkDepth(text: string): void {
  // Deep nesting needs as many brackets. Looking for them is a search that stops at few; only many are counted properly.
  if (!hasMore(text, '[', maxDepth - countUpTo(text, '{', maxDepth + 1))) return
  let depth = 0
  let inString = false
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (inString) {
      if (code === backslash) index += 1
      else if (code === quote) inString = false
    } else if (code === quote) inString = true
    else if (code === 0x7b || code === 0x5b) {
      depth += 1
      if (depth > maxDepth) throw new Error(`nested deeper than ${maxDepth} levels`)
    } else if (code === 0x7d || code === 0x5d) depth -= 1
  }
}

function hasMore(text: string, bracket: string, count: number): boolean {
  return count < 0 || countUpTo(text, bracket, count + 1) > count
}
function countUpTo(text: string, bracket: string, limit: number): number {
  let count = 0
  for (let at = text.indexOf(bracket); at >= 0 && count < limit; at = text.indexOf(bracket, at + 1)) count += 1
  return count
}
