import { withoutPrototype } from './header-table.ts'
import type { StoredMessage } from './outbox.ts'
import type { Headers } from './transport.ts'

interface StoredFields {
  readonly transport: string
  readonly id: string
  readonly topic: string
  readonly key: string | undefined
  readonly payload: Uint8Array
}

/** A message of an outbox with its headers as they were kept, so that a transport which writes them as text takes what is there. */
export class StoredText implements StoredMessage {
  readonly transport: string
  readonly id: string
  readonly topic: string
  readonly key: string | undefined
  readonly headers: Headers
  readonly payload: Uint8Array
  readonly headersText: string

  /** Throws where the headers are not a JSON object. */
  constructor({ transport, id, topic, key, payload }: StoredFields, headersText: string) {
    const headers: unknown = JSON.parse(headersText)
    if (typeof headers !== 'object' || headers === null || Array.isArray(headers))
      throw new Error('the headers are no object')
    this.transport = transport
    this.id = id
    this.topic = topic
    this.key = key
    this.headers = withoutPrototype(headers)
    this.payload = payload
    this.headersText = headersText
  }
}
