import type {
  AnyEvent,
  Bus,
  Outbox,
  PayloadOf,
  SingleTransportOptions,
  SubscriptionDefinition,
  Transport,
} from '@evt/core'
import type { VirtualClock } from './virtual-clock.ts'

type PassedOn =
  | 'namespace'
  | 'outsideTransaction'
  | 'deadLetters'
  | 'use'
  | 'codecs'
  | 'defaults'
  | 'publishTimeoutMs'
  | 'maxPayloadBytes'
  | 'logger'
  | 'onError'
  | 'random'

/** The options of `createBus`, without a transport: it is the memory transport. */
export interface TestBusOptions<Transaction = never> extends Pick<SingleTransportOptions<Transaction>, PassedOn> {
  /** Default `test`. */
  readonly service?: string | undefined
  /** Subscribed at the first use of the bus. Default: none. */
  readonly subscriptions?: readonly SubscriptionDefinition[] | undefined
  /** Default: none. */
  readonly faults?: TestFaults | undefined
  /** Default: a clock of its own. */
  readonly clock?: VirtualClock | undefined
  /** Puts something around the memory transport, such as `failing` or `blocking`. Default: nothing. */
  readonly wrap?: ((transport: Transport) => Transport) | undefined
  /** An outbox that can count what it has not published. */
  readonly outbox?: (Outbox<Transaction> & CountedOutbox) | undefined
  /** Real milliseconds after which `settled` and `next` give up. Default 3,000. */
  readonly deadlineMs?: number | undefined
}

/** What `settled` asks an outbox. */
export interface CountedOutbox {
  count(): Promise<{ readonly waiting: number }>
}

export interface TestFaults {
  /** The part of all messages that is published twice, 0 to 1. Default 0. */
  readonly duplicate?: number | undefined
  /** So many messages are handed over in a random order, messages of one key in their own. Default 1: none. */
  readonly reorder?: number | undefined
  /** Of the faults, and of the jitter of retries. Default 1. */
  readonly seed?: number | undefined
}

export interface SettledOptions {
  /** How far the virtual clock may be moved. Retries beyond it are left waiting. Default: without limit. */
  readonly withinMs?: number | undefined
  /** Real milliseconds after which it gives up. Default: the bus's. */
  readonly deadlineMs?: number | undefined
}

/** A message that was dead-lettered. */
export interface Rejected<Payload> {
  /** Undefined where it could not be decoded. */
  readonly payload: Payload | undefined
  readonly error: unknown
  readonly consumer: string
  readonly attempts: number
}

/** A real bus over the memory transport, under a virtual clock. */
export interface TestBus<Transaction = never> extends Bus<Transaction> {
  readonly clock: VirtualClock
  /**
   * Resolves when no message is queued, being handled, waiting for a retry within `withinMs`, or in the outbox; moves the clock
   * as far as that needs. Rejects with `EVT_TESTING_STUCK`, which names what is left.
   */
  settled(options?: SettledOptions): Promise<void>
  /** The payloads that reached the transport, in order; a message that came twice under one id counts once. */
  published<E extends AnyEvent>(event: E): readonly PayloadOf<E>[]
  /** What was dead-lettered, in order. */
  rejected<E extends AnyEvent>(event: E): readonly Rejected<PayloadOf<E>>[]
  /**
   * The first published payload that matches and that `next` has not answered before; waits for it without moving the clock.
   * Rejects with `EVT_TESTING_NOT_PUBLISHED`.
   */
  next<E extends AnyEvent>(event: E, match?: (payload: PayloadOf<E>) => boolean): Promise<PayloadOf<E>>
}
