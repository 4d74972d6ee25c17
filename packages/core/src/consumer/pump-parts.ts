import type { Clock } from '../clock.ts'
import type { Outcome } from '../outcome.ts'
import type { Consumer, TransportDelivery, TransportSupport } from '../transport.ts'
import type { Entry } from './entry.ts'
import type { Gate } from './gate.ts'
import type { ConsumerSettings } from './settings.ts'
import type { Slots } from './slots.ts'
import type { SubscriptionStats } from './stats.ts'

/** What a pump asks of the subscription it works for. `handle` never throws, `handleBatch` never rejects. */
export interface PumpWork {
  readonly consumer: string
  /** Undefined where there is no order to keep. */
  readonly laneOf: ((received: TransportDelivery) => string | undefined) | undefined
  /** Calls `end` once, also before it returns. */
  handle(entry: Entry, end: (entry: Entry, outcome: Outcome) => void): void
  handleBatch(entries: readonly Entry[]): Promise<readonly Outcome[]>
  /** Keeps a rejected message, or says that the transport must. A rejection means try later. */
  deadLetter(entry: Entry, error: unknown): Promise<'kept' | 'transport' | 'dropped'>
  report(error: unknown, during: string): void
}
export interface PumpParts {
  readonly consumer: Consumer
  readonly support: TransportSupport
  readonly settings: ConsumerSettings
  readonly gate: Gate
  readonly slots: Slots
  readonly clock: Clock
  readonly stats: SubscriptionStats
  readonly work: PumpWork
}

/** What those that start handlers ask of the pump. */
export interface Starting {
  /** Whether one more handler may start, as far as slots, pausing and closing go. */
  mayStart(): boolean
  /** Looks again when the gate may have opened. */
  awaitGate(): void
  startReady(): void
}
