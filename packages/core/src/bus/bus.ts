import type { Clock } from '../clock.ts'
import type { Codec } from '../codec.ts'
import type { Subscription } from '../consumer/running-subscription.ts'
import type { Setting, SubscribeDefaults } from '../consumer/settings.ts'
import type { DeadLetters } from '../dead-letters.ts'
import type { AnyEvent, EventGroup, InputOf, PayloadOf } from '../event.ts'
import type { Logger } from '../logger.ts'
import type { Message } from '../message.ts'
import type { Middleware } from '../middleware.ts'
import type { Outbox } from '../outbox.ts'
import type { Published, PublishOptions } from '../publish-options.ts'
import type { Handler, SubscriptionDefinition } from '../subscription.ts'
import type { SubscribeOptions } from '../subscription-options.ts'
import type { Transport, TransportSupport } from '../transport.ts'
import type { Health } from './health.ts'
import type { Route } from './router.ts'

/** Publishes events and runs subscriptions over one or several transports. */
export interface Bus<Transaction = never> extends AsyncDisposable {
  readonly service: string
  /**
   * Resolves when the transport, or inside a transaction the outbox, has accepted the message. Rejects with
   * `EVT_PAYLOAD_INVALID` before anything is sent, and with `EVT_PUBLISH_REFUSED`, `EVT_PUBLISH_UNAVAILABLE` or
   * `EVT_PUBLISH_UNKNOWN` afterwards. Of an event that goes to several transports these three speak of all of them; where they
   * did not fare alike it is `EVT_PUBLISH_PARTIAL`, with a failure for each that did not accept the message.
   */
  publish<E extends AnyEvent>(event: E, payload: InputOf<E>, options?: PublishOptions<Transaction>): Promise<Published>
  /** Publishes in order; validates everything first. Rejects with `EVT_PUBLISH_PARTIAL` when only some were accepted. */
  publishMany(
    messages: readonly Message[],
    options?: Pick<PublishOptions<Transaction>, 'transaction' | 'signal'>,
  ): Promise<readonly Published[]>
  /** Publishes without a promise: bounded, never throws; failures go to `onError` and a counter, `close` flushes. */
  fire<E extends AnyEvent>(event: E, payload: InputOf<E>, options?: PublishOptions<Transaction>): void
  /** Starts a subscription; resolves when it receives. */
  subscribe<E extends AnyEvent>(
    event: E,
    handler: Handler<E['name'], PayloadOf<E>>,
    options: SubscribeOptions,
  ): Promise<Subscription>
  /** Starts declared subscriptions; resolves when all of them receive. */
  subscribe(...subscriptions: readonly SubscriptionDefinition[]): Promise<readonly Subscription[]>
  /** Declares the topics of events now instead of at first use, and verifies that they are as wanted. */
  register(events: AnyEvent | readonly AnyEvent[] | EventGroup, options?: RegisterOptions): Promise<void>
  /**
   * Opens transports, starts middleware and the outbox's relay. Publishing and subscribing do it by themselves. It keeps no
   * process running, not even with subscriptions: that is what `run` does.
   */
  start(): Promise<void>
  /** Keeps the process running and serves until SIGINT or SIGTERM, heard from its call on, or until the bus is closed; then drains and closes. */
  run(options?: RunOptions): Promise<void>
  health(): Promise<Health>
  describe(): BusDescription
  /** Stops reading, lets handlers finish until the deadline, settles, gives the rest back, disconnects. Idempotent. */
  close(options?: CloseOptions): Promise<void>
}
export interface RegisterOptions {
  /** How many partitions the topics have: what `ordered: 'group'` needs on most transports. Default: as they are, else none. */
  readonly partitions?: number | undefined
}
export interface CloseOptions {
  /** Default 10,000. */
  readonly deadlineMs?: number | undefined
}
export interface RunOptions extends CloseOptions {
  readonly subscriptions?: readonly SubscriptionDefinition[] | undefined
  /** Default SIGINT and SIGTERM. */
  readonly signals?: readonly NodeJS.Signals[] | undefined
}

interface CommonBusOptions<Transaction> {
  /** Names this deployable: source of messages, first part of every consumer. */
  readonly service: string
  /** First part of every topic. Default `evt`. */
  readonly namespace?: string | undefined
  readonly outbox?: Outbox<Transaction> | undefined
  /** What `publish` does where an outbox is there and no transaction is open. Default `publish`. */
  readonly outsideTransaction?: 'publish' | 'store' | 'refuse' | undefined
  /** Where dead letters are kept. Default: the transport's own place. */
  readonly deadLetters?: DeadLetters | undefined
  readonly use?: readonly Middleware[] | undefined
  /** Codecs that messages are read with beside their event's own. JSON is always among them. */
  readonly codecs?: readonly Codec[] | undefined
  readonly defaults?: SubscribeDefaults | undefined
  /** After this a publish rejects. Default 10,000. */
  readonly publishTimeoutMs?: number | undefined
  /** Largest payload published or read. Default 16 MiB. */
  readonly maxPayloadBytes?: number | undefined
  readonly logger?: Logger | undefined
  /** Told of every failure that no promise carries. */
  readonly onError?: ((error: unknown, during: string) => void) | undefined
  readonly clock?: Clock | undefined
  readonly random?: (() => number) | undefined
}
export interface SingleTransportOptions<Transaction> extends CommonBusOptions<Transaction> {
  readonly transport: Transport
  readonly transports?: undefined
  readonly routes?: undefined
  readonly defaultTransport?: undefined
}
export interface RoutedOptions<Transaction, Names extends string> extends CommonBusOptions<Transaction> {
  readonly transport?: undefined
  readonly transports: { readonly [Name in Names]: Transport }
  /** First match wins. */
  readonly routes?: readonly Route<NoInfer<Names>>[] | undefined
  readonly defaultTransport: NoInfer<Names>
}
export type BusOptions<Transaction = never, Names extends string = string> =
  | SingleTransportOptions<Transaction>
  | RoutedOptions<Transaction, Names>

/** A bus as data, for tools. */
export interface BusDescription {
  readonly service: string
  readonly namespace: string
  readonly transports: readonly { readonly name: string; readonly kind: string; readonly supports: TransportSupport }[]
  readonly events: readonly {
    readonly name: string
    readonly version: number
    readonly description: string | undefined
    readonly transports: readonly string[]
  }[]
  readonly subscriptions: readonly {
    readonly consumer: string
    readonly events: readonly string[]
    readonly state: string
    readonly settings: Readonly<Record<string, Setting>>
  }[]
  readonly outbox: string | undefined
  readonly deadLetters: string | undefined
}
