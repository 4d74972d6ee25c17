import type { DeadLetters, Outbox, Transport } from '@evt/core'
import type { InboxStore } from '@evt/idempotency'
import type { OutboxStore } from '@evt/outbox'
import type { PgOutbox } from '@evt/outbox-pg'
import type { PgTransaction } from '@evt/pg'
import type pg from 'pg'

/** One thing done wrong, put around a part of a program. */
export interface Bug {
  readonly about: string
  /** The scenario that must catch it. */
  readonly scenario: string
  /** Whether it is tried with every change, too. */
  readonly quick?: true
  transport?(right: Transport): Transport
  /** What the relay works on. */
  rows?(right: OutboxStore<PgTransaction>, pool: pg.Pool): OutboxStore<PgTransaction>
  outbox?(right: PgOutbox): Outbox<PgTransaction>
  inbox?(right: InboxStore<PgTransaction>, pool: pg.Pool): InboxStore<PgTransaction>
  deadLetters?(right: DeadLetters): DeadLetters
}
