/** What this package asks of the client: the part of `NatsConnection` of `nats` 2.29 that it uses. Nothing else knows the client. */
export interface NatsClient {
  readonly info?: NatsServerInfo | undefined
  publish(subject: string, payload?: Uint8Array, options?: NatsPublishOptions): void
  subscribe(subject: string, options: NatsSubscribeOptions): NatsSubscription
  /** Resolves when everything before it has reached the server. Rejects when the connection is lost. */
  flush(): Promise<void>
  /** Replaces the connection, for one that is half open. */
  reconnect(): Promise<void>
  status(): AsyncIterable<{ readonly type: string }>
  isClosed(): boolean
  closed(): Promise<void | Error>
  close(): Promise<void>
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
}
export interface NatsHeaders extends Iterable<[string, string[]]> {
  /** The status of a message from the server itself, 0 where there is none. */
  readonly code: number
  readonly description: string
  get(name: string): string
}

/** A connection, which stays its owner's, or a function that makes one, which is then closed with the transport. */
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
