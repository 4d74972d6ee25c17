import type { DeadLetters, Outbox, Transport } from '@evt/core'
import type { InboxStore } from '@evt/idempotency'
import type { PgOutbox } from '@evt/outbox-pg'
import type { PgTransaction } from '@evt/pg'
import type pg from 'pg'

export interface OutboxParts {
  readonly pool: pg.Pool
  readonly transactions: PgOutbox
  /** Undefined where the program has no relay. */
  readonly leaseMs: number | undefined
}
/** One thing done wrong, put around or in place of a part of a program. */
export interface Bug {
  readonly about: string
  /** The scenario that must catch it. */
  readonly scenario: string
  transport?(right: Transport): Transport
  outbox?(parts: OutboxParts): Outbox<PgTransaction>
  inbox?(pool: pg.Pool): InboxStore<PgTransaction>
  deadLetters?(right: DeadLetters): DeadLetters
}
