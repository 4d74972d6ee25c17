import { type ContextKey, type ContextValues, requireValue } from './context-key.ts'
import { type EncodedMessage, encodedMessage } from './encoded-message.ts'
import { type Envelope, readEnvelope, readMetadata } from './envelope.ts'
import type { AnyEvent, InputOf } from './event.ts'
import type { Logger } from './logger.ts'
import type { Message } from './message.ts'
import type { Published, PublishOptions } from './publish-options.ts'
import type { Headers, TransportDelivery } from './transport.ts'

/** One hand-over of a message to a handler. */
export interface Delivery<Name extends string = string, Payload = unknown> {
  readonly id: string
  readonly type: Name
  readonly payload: Payload
  /** Runs known to have ended in failure or death, plus one. */
  readonly attempt: number
  /** Whether a failure of this run dead-letters the message. */
  readonly lastAttempt: boolean
  /** When the message was published. */
  readonly time: Date
  readonly key: string | undefined
  readonly source: string
  /** The identity that this message is deduplicated, counted and dead-lettered under. */
  readonly consumer: string
  readonly position: string
  readonly correlationId: string
  readonly causationId: string | undefined
  readonly metadata: Headers
  /** Grows with every hand-over of this message; write it beside an effect to refuse a late one. */
  readonly fence: bigint
  /** Aborted at the timeout, on a lost lease and at the shutdown deadline. */
  readonly signal: AbortSignal
  /** Why `signal` was aborted, if it was: for a look that makes no signal. */
  readonly abortReason: Error | undefined
  readonly logger: Logger
  /** A value that middleware set, or `EVT_CONTEXT_MISSING`. */
  get<Value>(key: ContextKey<Value>): Value
  find<Value>(key: ContextKey<Value>): Value | undefined
  /** Publishes with the correlation, causation and trace of this delivery. */
  publish<E extends AnyEvent>(event: E, payload: InputOf<E>, options?: PublishOptions): Promise<Published>
  /** Publishes messages under ids derived from this delivery, as returning them would: a rerun gives the same ids. */
  publishDerived(messages: readonly Message[], options?: { readonly transaction?: unknown }): Promise<void>
}

/** A delivery as middleware sees it. */
export interface IncomingDelivery extends Delivery {
  /** A middleware that claims the message in a store puts the claim's own fence here. */
  fence: bigint
  set<Value>(key: ContextKey<Value>, value: Value): void
}

/** What all deliveries of one consumer share. */
export interface DeliveryScope {
  readonly consumer: string
  readonly attempts: number
  readonly logger: Logger
  decode(delivery: ReceivedDelivery): unknown
  publish(
    parent: IncomingDelivery,
    messages: readonly Message[],
    options: PublishOptions,
  ): Promise<readonly Published[]>
  publishDerived(parent: IncomingDelivery, messages: readonly Message[], options: PublishOptions): Promise<void>
}

const pending = Symbol('pending')

/** One class for all deliveries, everything dear made at the first look. */
export class ReceivedDelivery implements IncomingDelivery {
  readonly attempt: number
  readonly received: TransportDelivery
  /** The message itself, where it never left this process. */
  readonly encoded: EncodedMessage | undefined
  readonly #scope: DeliveryScope
  #envelope: Envelope | undefined
  #payload: unknown = pending
  #metadata: Headers | undefined
  #time: Date | undefined
  #values: ContextValues | undefined
  #controller: AbortController | undefined
  #aborted: Error | undefined
  #fence: bigint | undefined

  constructor(scope: DeliveryScope, received: TransportDelivery, attempt: number) {
    this.#scope = scope
    this.received = received
    this.attempt = attempt
    this.encoded = encodedMessage(received)
    if (this.encoded === undefined) this.#envelope = readEnvelope(received.headers)
  }
  get envelope(): Envelope {
    this.#envelope ??= this.encoded!.envelope
    return this.#envelope
  }
  get id(): string {
    return this.encoded === undefined ? this.envelope.id : this.encoded.id
  }
  get type(): string {
    return this.envelope.type
  }
  get payload(): unknown {
    return this.#payload === pending ? this.decode() : this.#payload
  }
  get lastAttempt(): boolean {
    return this.attempt >= this.#scope.attempts
  }
  get time(): Date {
    this.#time ??= new Date(this.envelope.time)
    return this.#time
  }
  get key(): string | undefined {
    return this.received.key
  }
  get source(): string {
    return this.envelope.source
  }
  get consumer(): string {
    return this.#scope.consumer
  }
  get position(): string {
    return this.received.position
  }
  get correlationId(): string {
    return this.envelope.correlationId ?? this.envelope.id
  }
  get causationId(): string | undefined {
    return this.envelope.causationId
  }
  get metadata(): Headers {
    this.#metadata ??= readMetadata(this.received.headers)
    return this.#metadata
  }
  get fence(): bigint {
    return this.#fence ?? BigInt(this.received.deliveries)
  }
  set fence(fence: bigint) {
    this.#fence = fence
  }
  get logger(): Logger {
    return this.#scope.logger
  }
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted)
    }
    return this.#controller.signal
  }
  get abortReason(): Error | undefined {
    return this.#aborted
  }
  /** The payload, decoded once; a promise only where a schema is asynchronous. */
  decode(): unknown {
    if (this.#payload !== pending) return this.#payload
    const decoded = this.#scope.decode(this)
    if (decoded instanceof Promise) {
      return decoded.then((payload) => {
        this.#payload = payload
        return payload
      })
    }
    this.#payload = decoded
    return decoded
  }
  abort(reason: Error): void {
    if (this.#aborted !== undefined) return
    this.#aborted = reason
    this.#controller?.abort(reason)
  }
  get<Value>(key: ContextKey<Value>): Value {
    return requireValue(this.#values, key)
  }
  find<Value>(key: ContextKey<Value>): Value | undefined {
    return this.#values?.get(key) as Value | undefined
  }
  set<Value>(key: ContextKey<Value>, value: Value): void {
    this.#values ??= new Map()
    this.#values.set(key, value)
  }
  async publish<E extends AnyEvent>(event: E, payload: InputOf<E>, options: PublishOptions = {}): Promise<Published> {
    const [published] = await this.#scope.publish(this, [event.of(payload)], options)
    return published!
  }
  publishDerived(messages: readonly Message[], options: { readonly transaction?: unknown } = {}): Promise<void> {
    return this.#scope.publishDerived(this, messages, options as PublishOptions)
  }
}
