import { evtError, type Headers, headerTable } from '@evt/core'
import { HeaderBytes } from './client.ts'

// Headers of other standards travel as they are; the rest is percent-encoded, as CloudEvents' binding for NATS says.
const verbatim = new Set(['content-type', 'traceparent', 'tracestate', 'baggage'])
const needsEncoding = /[^\x21\x23\x24\x26-\x7e]/
const toEncode = /[^\x21\x23\x24\x26-\x7e]+/g
const legalName = /^(?!nats-)[!-9;-~]+$/i
const space = 0x20
const upperN = 0x4e
const printable = /^[ -~]*$/

/** A header as it was last written: most headers of a message are those of the message before. */
interface Line {
  readonly start: string
  readonly isVerbatim: boolean
  value: string | undefined
  text: string
}
/** Writes headers as bytes of the protocol. `own` are those the server and this package read. Throws for what cannot travel. */
export type HeaderWriter = (own: Headers, headers: Headers) => HeaderBytes
const maxLines = 256
const maxKeptLength = 256

export function headerWriter(): HeaderWriter {
  const lines = new Map<string, Line>()
  const textOf = (name: string, value: string): string => {
    const line = lines.get(name) ?? lineOf(name)
    if (line.value === value) return line.text
    const text = `${line.start}${line.isVerbatim ? printed(name, value) : encodeValue(value)}\r\n`
    if (value.length > maxKeptLength) return text
    line.value = value
    line.text = text
    if (lines.size < maxLines) lines.set(name, line)
    return text
  }
  return (own, headers) => {
    let text = 'NATS/1.0\r\n'
    for (const name in own) text += `${name}: ${encodeValue(own[name]!)}\r\n`
    for (const name in headers) text += textOf(name, headers[name]!)
    return new HeaderBytes(Buffer.from(`${text}\r\n`, 'latin1'))
  }
}
function lineOf(name: string): Line {
  // The server acts on headers named Nats-…: a publisher's metadata must not command it.
  if (!legalName.test(name)) throw illegal(name)
  return { start: `${name}: `, isVerbatim: verbatim.has(name), value: undefined, text: '' }
}
function printed(name: string, value: string): string {
  if (printable.test(value)) return value
  throw illegal(name)
}

/** Headers that somebody else has sent as they may be sent again: what may not travel is percent-encoded. */
export function sendable(headers: Headers): Headers {
  const result = headerTable()
  for (const name in headers) {
    const value = headers[name]!
    result[legalName.test(name) ? name : encodeName(name)] =
      verbatim.has(name) && !printable.test(value) ? encodeValue(value) : value
  }
  return result
}

/** Reads a header block without the headers of the server. */
export function decodeHeaders(block: string): Record<string, string> {
  const headers = headerTable()
  const isEncoded = block.includes('%')
  let at = block.indexOf('\r\n') + 2
  for (let end = block.indexOf('\r\n', at); end > at; end = block.indexOf('\r\n', at)) {
    const colon = block.indexOf(':', at)
    const isServers = block.charCodeAt(at) === upperN && block.startsWith('Nats-', at)
    if (colon > at && colon < end && !isServers) {
      const name = block.slice(at, colon)
      const value = valueBetween(block, colon + 1, end)
      headers[name] = isEncoded && value.includes('%') && !verbatim.has(name) ? decodeValue(value) : value
    }
    at = end + 2
  }
  return headers
}

/** Trims only where it must: that costs more than all the rest. */
function valueBetween(block: string, from: number, end: number): string {
  const first = block.charCodeAt(from) === space ? from + 1 : from
  const value = block.slice(first, end)
  return block.charCodeAt(first) > space && block.charCodeAt(end - 1) > space ? value : value.trim()
}

function encodeValue(value: string): string {
  return needsEncoding.test(value) ? value.replace(toEncode, encodeURIComponent) : value
}
function encodeName(name: string): string {
  return name
    .replace(/[^!-9;-~]+/g, encodeURIComponent)
    .replace(/^n(?=ats-)/i, (first) => (first === 'n' ? '%6E' : '%4E'))
}
function decodeValue(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    // Somebody else's publisher: what cannot be decoded stays as it came.
    return value
  }
}
function illegal(name: string): Error {
  const shown = JSON.stringify(name.slice(0, 128))
  const reason = 'its name or value cannot travel over NATS'
  return evtError('EVT_METADATA_INVALID', `The header ${shown}: ${reason}`, { name: shown, reason })
}
