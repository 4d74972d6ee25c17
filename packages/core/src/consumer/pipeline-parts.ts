import type { Clock } from '../clock.ts'
import type { DeliveryScope, IncomingDelivery, ReceivedDelivery } from '../delivery.ts'
import type { Logger } from '../logger.ts'
import type { Middleware } from '../middleware.ts'
import type { Outcome } from '../outcome.ts'
import type { BatchHandler, Handler } from '../subscription.ts'
import type { Entry } from './entry.ts'
import type { ConsumerSettings } from './settings.ts'
import type { SubscriptionStats } from './stats.ts'

export interface PipelineParts {
  readonly consumer: string
  readonly scope: DeliveryScope
  readonly settings: ConsumerSettings
  readonly filter: ((delivery: IncomingDelivery) => boolean) | undefined
  /** Whether an earlier message of the delivery's key is dead-lettered and holds it back; asked before the payload is read. */
  readonly isBlocked: ((delivery: ReceivedDelivery) => Promise<boolean>) | undefined
  readonly middleware: readonly Middleware[]
  readonly stats: SubscriptionStats
  readonly clock: Clock
  readonly logger: Logger
  readonly work:
    | { readonly kind: 'each'; readonly handler: Handler }
    | { readonly kind: 'batch'; readonly handler: BatchHandler }
}
export interface Pipeline {
  /** Calls `end` once, at once where nothing has to be waited for. */
  handle(entry: Entry, end: (entry: Entry, outcome: Outcome) => void): void
  handleBatch(entries: readonly Entry[]): Promise<readonly Outcome[]>
}

export type Around = NonNullable<Middleware['consume']>
export type Terminal = (delivery: ReceivedDelivery) => Promise<Outcome>

/** What happens to every delivery, whether it is handled alone or together with others. */
export interface Steps {
  /** Everything that comes before the handler; an outcome where it need not run. */
  prepare(delivery: ReceivedDelivery): Promise<Outcome | undefined> | Outcome | undefined
  /** For what goes wrong before the handler. */
  fail(thrown: unknown, attempt: number): Outcome
  /** Runs what is around the handler. Never rejects. */
  run(entry: Entry, composed: Terminal): Promise<Outcome>
}
