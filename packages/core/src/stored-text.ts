import { withoutPrototype } from './header-table.ts'
import type { StoredMessage } from './outbox.ts'
import type { Headers } from './transport.ts'

interface StoredFields {
  readonly transport: string
  readonly id: string
  readonly topic: string
  readonly key: string | undefined
  /** Bytes, or the text that they are in UTF-8. */
  readonly payload: Uint8Array | string
}

/** A JSON object of texts without a backslash: what headers nearly always are. To look costs a quarter of parsing. */
const plainObject = /^\{"[^"\\\p{Cc}]*":"[^"\\\p{Cc}]*"(?:,"[^"\\\p{Cc}]*":"[^"\\\p{Cc}]*")*\}$/u
/** A longer text might be more than the expression can hold in mind. */
const mostLookedAt = 65_536

/**
 * A message of an outbox with headers and payload as they were kept, so that a transport which writes them as text takes what is
 * there. Headers are parsed, and the bytes of a text counted or made, at the first look.
 */
export class StoredText implements StoredMessage {
  readonly transport: string
  readonly id: string
  readonly topic: string
  readonly key: string | undefined
  readonly headersText: string
  readonly body: Uint8Array | string
  #headers: Headers | undefined
  #payload: Uint8Array | undefined
  #bytes = -1

  /** Throws where the headers are not a JSON object. */
  constructor({ transport, id, topic, key, payload }: StoredFields, headersText: string) {
    this.transport = transport
    this.id = id
    this.topic = topic
    this.key = key
    this.headersText = headersText
    this.body = payload
    if (headersText.length > mostLookedAt || !plainObject.test(headersText)) this.#headers = parsed(headersText)
  }
  get headers(): Headers {
    this.#headers ??= parsed(this.headersText)
    return this.#headers
  }
  get payload(): Uint8Array {
    if (typeof this.body !== 'string') return this.body
    this.#payload ??= Buffer.from(this.body, 'utf8')
    return this.#payload
  }
  /** Of the payload. */
  get bytes(): number {
    if (this.#bytes < 0)
      this.#bytes = typeof this.body === 'string' ? Buffer.byteLength(this.body) : this.body.byteLength
    return this.#bytes
  }
}

function parsed(headersText: string): Headers {
  const headers: unknown = JSON.parse(headersText)
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers))
    throw new Error('the headers are no object')
  return withoutPrototype(headers)
}
