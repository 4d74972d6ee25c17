import { evtError } from './errors.ts'
import { headerTable } from './header-table.ts'
import type { Headers } from './transport.ts'

/** What travels beside the payload: CloudEvents 1.0 attributes in binary mode. */
export interface Envelope {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly time: string
  readonly contentType: string
  readonly version: number
  readonly key: string | undefined
  readonly subject: string | undefined
  readonly correlationId: string | undefined
  readonly causationId: string | undefined
}
const traceHeaders = ['traceparent', 'tracestate', 'baggage'] as const

const reserved = /^(ce[-_]|evt[-_]|content-type$|traceparent$|tracestate$|baggage$)/i
const legalName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
const traceParent = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/
const maxEntries = 64
const maxMetadataBytes = 16_384
const schemaPrefix = 'urn:evt:'

/** The headers of a message, with no prototype. Metadata has been checked by `checkMetadata`. */
export function writeHeaders(envelope: Envelope, metadata: Headers | undefined, trace: Headers | undefined): Headers {
  const headers = headerTable()
  headers['ce-specversion'] = '1.0'
  headers['ce-id'] = envelope.id
  headers['ce-source'] = envelope.source
  headers['ce-type'] = envelope.type
  headers['ce-time'] = envelope.time
  headers['ce-dataschema'] = `${schemaPrefix}${envelope.type}:${envelope.version}`
  headers['content-type'] = envelope.contentType
  if (envelope.key !== undefined) headers['ce-partitionkey'] = envelope.key
  if (envelope.subject !== undefined) headers['ce-subject'] = envelope.subject
  if (envelope.correlationId !== undefined) headers['ce-correlationid'] = envelope.correlationId
  if (envelope.causationId !== undefined) headers['ce-causationid'] = envelope.causationId
  for (const name of traceHeaders) if (trace?.[name] !== undefined) headers[name] = trace[name]
  for (const name in metadata) headers[name] = metadata[name]!
  return headers
}

/** Reads what arrived. Throws `EVT_ENVELOPE_INVALID` naming the field; nothing in it is trusted further than its form. */
export function readEnvelope(headers: Headers): Envelope {
  return {
    id: readId(headers),
    type: required(headers, 'ce-type', 200),
    source: required(headers, 'ce-source', 512),
    time: readTime(headers),
    contentType: required(headers, 'content-type', 200),
    version: readVersion(headers['ce-dataschema']),
    key: optional(headers, 'ce-partitionkey', 1_024),
    subject: optional(headers, 'ce-subject', 1_024),
    correlationId: optional(headers, 'ce-correlationid', 512),
    causationId: optional(headers, 'ce-causationid', 512),
  }
}

/** The publisher's own entries among the headers, copied into an object without prototype. */
export function readMetadata(headers: Headers): Headers {
  const metadata = headerTable()
  for (const name in headers) if (!reserved.test(name)) metadata[name] = headers[name]!
  return metadata
}

/** Throws `EVT_METADATA_INVALID` for what some transport could not carry or what only the bus may set. */
export function checkMetadata(metadata: Readonly<Record<string, unknown>>): Headers {
  const checked = headerTable()
  let bytes = 0
  const names = Object.keys(metadata)
  if (names.length > maxEntries) throw invalidMetadata('', `at most ${maxEntries} entries`)
  for (const name of names) {
    const value = metadata[name]
    if (!legalName.test(name)) throw invalidMetadata(name, 'letters, digits, ".", "_" and "-", at most 128')
    if (reserved.test(name)) throw invalidMetadata(name, 'this name is reserved')
    if (typeof value !== 'string') throw invalidMetadata(name, 'expected a string')
    checkText(`metadata.${name}`, value, maxMetadataBytes)
    bytes += name.length + Buffer.byteLength(value)
    checked[name] = value
  }
  if (bytes > maxMetadataBytes) throw invalidMetadata('', `at most ${maxMetadataBytes} bytes together`)
  return checked
}

/** Throws `EVT_METADATA_INVALID` unless a value is printable, well-formed text: what every broker's headers carry unchanged. */
export function checkText(field: string, value: unknown, maxBytes: number): string {
  if (typeof value !== 'string') throw invalidMetadata(field, 'expected a string')
  if (hasControl(value)) throw invalidMetadata(field, 'control characters are not allowed')
  if (value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes)
    throw invalidMetadata(field, `at most ${maxBytes} bytes`)
  if (!value.isWellFormed()) throw invalidMetadata(field, 'it holds half of a surrogate pair')
  return value
}

const control = /\p{Cc}/u
/** Whether a text holds a control character, which no header may. */
function hasControl(text: string): boolean {
  return control.test(text)
}

function required(headers: Headers, field: string, maxLength: number): string {
  const value = headers[field]
  if (typeof value !== 'string' || value === '' || value.length > maxLength) {
    throw invalidHeader(field, value === undefined ? 'it is missing' : `expected 1 to ${maxLength} characters`)
  }
  return value
}

/** It goes on as the cause of other messages, where a line break would end a header. */
function readId(headers: Headers): string {
  const id = required(headers, 'ce-id', 512)
  if (hasControl(id)) throw invalidHeader('ce-id', 'control characters are not allowed')
  return id
}

/** What cannot be used counts as not there: nothing but tracing hangs on it. */
function optional(headers: Headers, field: string, maxLength: number): string | undefined {
  const value = headers[field]
  return isUsable(value, maxLength) ? value : undefined
}

/** The trace of a message, to be carried on: only what has the form of its standard. Source: W3C Trace Context and Baggage. */
export function readTrace(headers: Headers): Headers | undefined {
  const { traceparent, tracestate, baggage } = headers
  const trace = headerTable()
  if (traceparent !== undefined && traceParent.test(traceparent)) {
    trace.traceparent = traceparent
    if (isUsable(tracestate, 512)) trace.tracestate = tracestate
  }
  if (isUsable(baggage, 8_192)) trace.baggage = baggage
  for (const _name in trace) return trace
  return undefined
}

function isUsable(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maxLength && !hasControl(value)
}

let lastTime = ''
/** Messages of one burst share their time, so it is checked once. */
function readTime(headers: Headers): string {
  const time = required(headers, 'ce-time', 64)
  if (time === lastTime) return time
  if (Number.isNaN(Date.parse(time))) throw invalidHeader('ce-time', 'expected a time')
  lastTime = time
  return time
}

function invalidHeader(field: string, reason: string): Error {
  return evtError('EVT_ENVELOPE_INVALID', `The message's header "${field}" cannot be used: ${reason}`, {
    field,
    reason,
  })
}

let lastSchema: unknown
let lastVersion = 1
/** Like the time: the same for many messages in a row. */
function readVersion(dataSchema: unknown): number {
  if (dataSchema === lastSchema) return lastVersion
  lastSchema = dataSchema
  lastVersion = versionOf(dataSchema)
  return lastVersion
}
function versionOf(dataSchema: unknown): number {
  if (typeof dataSchema !== 'string' || !dataSchema.startsWith(schemaPrefix)) return 1
  const version = Number(dataSchema.slice(dataSchema.lastIndexOf(':') + 1))
  return Number.isSafeInteger(version) && version > 0 ? version : 1
}

function invalidMetadata(name: string, reason: string): Error {
  const shown = name.slice(0, 128).replace(/[^\x20-\x7e]/g, '?')
  return evtError('EVT_METADATA_INVALID', `Metadata "${shown}": ${reason}`, { name: shown, reason })
}
