/** What this package asks of the client: the part of `NatsConnection` of `nats` 2.29 that it uses. Nothing else knows the client. */
export interface NatsClient {
  readonly info?: NatsServerInfo | undefined
  publish(subject: string, payload?: Uint8Array, options?: NatsPublishOptions): void
  subscribe(subject: string, options: NatsSubscribeOptions): NatsSubscription
  /** Resolves when everything before it has reached the server. Rejects when the connection is lost. */
  flush(): Promise<void>
  /** Replaces the connection, for one that is half open. */
  reconnect(): Promise<void>
  status(): AsyncIterable<NatsStatus>
  isClosed(): boolean
  closed(): Promise<void | Error>
  close(): Promise<void>
}
export interface NatsStatus {
  readonly type: string
  /** Of an error: what the user may not do. */
  readonly permissionContext?: { readonly operation: string; readonly subject: string } | undefined
}
export interface NatsServerInfo {
  readonly version: string
  readonly max_payload: number
  readonly headers?: boolean
  readonly jetstream?: boolean
}
export interface NatsPublishOptions {
  reply?: string
  /** The client sends what `encode` of this object gives: see `HeaderBytes`. */
  headers?: object
}
export interface NatsSubscribeOptions {
  readonly queue?: string
  readonly callback: (error: Error | null, message: NatsMessage) => void
}
export interface NatsSubscription {
  unsubscribe(): void
  /** Unsubscribes and resolves when what was under way has arrived. */
  drain(): Promise<void>
}
export interface NatsMessage {
  readonly subject: string
  readonly reply?: string | undefined
  readonly data: Uint8Array
  readonly headers?: NatsHeaders | undefined
  /** Bytes of subject, reply, headers and payload together; not in the client's types. */
  size?(): number
}
export interface NatsHeaders extends Iterable<[string, string[]]> {
  /** The status of a message from the server itself, 0 where there is none. */
  readonly code: number
  readonly description: string
  get(name: string): string
}

/** A connection, which stays its owner's, or a function that makes one, which is closed by the last bus over the transport. */
export type NatsConnectionSource = NatsClient | (() => Promise<NatsClient>)

/** Headers that are encoded once, in the form in which the client takes them. */
export class HeaderBytes {
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }
  get byteLength(): number {
    return this.#bytes.byteLength
  }
  encode(): Uint8Array {
    return this.#bytes
  }
}

/**
 * Gives the header block of a message as text. The client makes lists of every line, which costs more than the rest of
 * reading a message; but the bytes it made them of lie in front of the payload, in one buffer for many messages.
 */
export function headerTexts(): (message: NatsMessage, subject: string, payload: Uint8Array) => string {
  let chunk: Buffer = Buffer.alloc(0)
  return (message, subject, payload) => {
    const { buffer, byteOffset, byteLength } = payload
    const before = subject.length + (message.reply?.length ?? 0) + byteLength
    const from = byteOffset - ((message.size?.() ?? before) - before)
    if (from >= 0 && from < byteOffset) {
      if (chunk.buffer !== buffer) chunk = Buffer.from(buffer)
      const text = chunk.toString('utf8', from, byteOffset)
      if (text.startsWith('NATS/1.0') && text.endsWith('\r\n\r\n')) return text
    }
    return rebuilt(message)
  }
}

function rebuilt(message: NatsMessage): string {
  let text = 'NATS/1.0\r\n'
  try {
    for (const [name, [value]] of message.headers ?? []) text += `${name}: ${value}\r\n`
  } catch {
    // The client refuses names and values that somebody else has sent.
  }
  return `${text}\r\n`
}
