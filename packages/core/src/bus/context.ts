import type { Clock } from '../clock.ts'
import type { SubscribeDefaults } from '../consumer/settings.ts'
import type { DeadLetters } from '../dead-letters.ts'
import type { CodecList } from '../decode.ts'
import type { IncomingDelivery } from '../delivery.ts'
import type { AnyEvent } from '../event.ts'
import type { Logger } from '../logger.ts'
import type { Message } from '../message.ts'
import type { Middleware } from '../middleware.ts'
import type { Published, PublishOptions } from '../publish-options.ts'
import type { Router } from './router.ts'

/** What the parts of one bus share. */
export interface BusContext {
  readonly service: string
  readonly router: Router
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly codecs: CodecList
  readonly middleware: readonly Middleware[]
  readonly defaults: SubscribeDefaults
  readonly deadLetters: DeadLetters | undefined
  readonly maxPayloadBytes: number
  readonly events: EventList
  /** Throws `EVT_BUS_CLOSED` from the begin of its close on. */
  checkOpen(): void
  report(error: unknown, during: string): void
  publishMessages(
    messages: readonly Message[],
    options: PublishOptions<unknown>,
    parent: IncomingDelivery | undefined,
    idOf?: (index: number) => string,
  ): Promise<readonly Published[]>
}

/** The events a bus knows: one definition per name. */
export interface EventList {
  readonly all: readonly AnyEvent[]
  /** Throws `EVT_EVENT_DUPLICATE` where another definition has the name, or one that differs in case only. */
  add(event: AnyEvent): void
  /** All of them, or none where `add` would throw for one. */
  addAll(events: readonly AnyEvent[]): void
}
