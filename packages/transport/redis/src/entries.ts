import { type Headers, headersText, headerTable, type Outgoing, payloadText, withoutPrototype } from '@evt/core'
import type { RedisArgument } from '@evt/redis'

/** An entry of a stream: `headers` is a JSON object of strings, `payload` the bytes as they are. */
export interface EntryFields {
  readonly headers: Headers
  readonly payload: Uint8Array
  readonly key: string | undefined
  /** What else the entry says about itself. */
  readonly rest: ReadonlyMap<string, string> | undefined
}

const keyHeader = 'ce-partitionkey'

/** Headers and payload as they are written. The client joins text faster than bytes. */
export function writeEntry(target: RedisArgument[], outgoing: Outgoing): void {
  target.push(headersText(outgoing), payloadText(outgoing) ?? bytesOf(outgoing.payload))
}

function bytesOf(payload: Uint8Array): Buffer {
  return Buffer.isBuffer(payload) ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
}

/** The key of a message, where its headers have none or another. */
export function keyBeside({ key, headers }: Outgoing): string | undefined {
  return key === undefined || headers[keyHeader] === key ? undefined : key
}

/** Reads what came. Whatever it holds, names never reach a prototype; what cannot be read is empty and core dead-letters it. */
export function readEntry(fields: readonly Buffer[]): EntryFields {
  let headers: Headers = none
  let payload: Uint8Array = empty
  let key: string | undefined
  let rest: Map<string, string> | undefined
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]!
    const value = fields[index + 1]!
    if (is(name, 'headers')) headers = readHeaders(value.toString('utf8'))
    else if (is(name, 'payload')) payload = value
    else if (is(name, 'key')) key = value.toString('utf8')
    else {
      rest ??= new Map()
      rest.set(name.toString('latin1'), value.toString('utf8'))
    }
  }
  return { headers, payload, key: key ?? headers[keyHeader], rest }
}

/** Compared where it is: to make a text of each name would take as long as all the rest. */
function is(name: Buffer, text: string): boolean {
  if (name.length !== text.length) return false
  for (let index = 0; index < text.length; index += 1) if (name[index] !== text.charCodeAt(index)) return false
  return true
}

const none: Headers = Object.freeze(Object.create(null))
const empty = new Uint8Array()

/** How core ends the headers of a message without options: with all that is its own. */
const ownEnd = /,"ce-time":"([^"\\\p{Cc}]*)","ce-id":"([^"\\\p{Cc}]*)"\}$/u
let lastShared = ''
let shared: Headers = none

/** What messages of one publisher and event share is parsed once for many in a row. */
function readHeaders(text: string): Headers {
  const end = ownEnd.exec(text)
  if (end === null) return parseHeaders(text)
  const start = text.slice(0, end.index)
  if (start !== lastShared) {
    shared = parseHeaders(`${start}}`)
    lastShared = start
  }
  if (shared === none) return none
  const headers = Object.assign(headerTable(), shared)
  headers['ce-time'] = end[1]!
  headers['ce-id'] = end[2]!
  return headers
}

function parseHeaders(text: string): Headers {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    // Somebody else wrote this entry.
    return none
  }
  for (const name in parsed as object) if (typeof (parsed as Headers)[name] !== 'string') return none
  return withoutPrototype(parsed)
}
