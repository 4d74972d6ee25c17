import { type Clock, type DeadLetters, type Outbox, systemClock } from '@evt/core'
import { pgDlqStore } from '@evt/dlq-pg'
import type { IdempotencyStore, InboxStore } from '@evt/idempotency'
import { pgIdempotencyStore, pgInbox } from '@evt/idempotency-pg'
import { createRelay, type Relay } from '@evt/outbox'
import { type PgOutbox, pgOutbox, pgOutboxStore } from '@evt/outbox-pg'
import type { PgTransaction } from '@evt/pg'
import pg from 'pg'
import { type Bug, bugOf } from '../bugs/index.ts'
import { defaultConnections } from './peaks.ts'
import { report } from './report.ts'
import type { Program } from './specification.ts'

/** Outbox, inbox and dead letters of a program, with the program's seeded bug in them if it has one. */
export interface Store {
  readonly pool: pg.Pool
  readonly transactions: PgOutbox
  readonly outbox: Outbox<PgTransaction>
  readonly inbox: InboxStore<PgTransaction>
  readonly deadLetters: DeadLetters
  readonly claims: IdempotencyStore
  readonly bug: Bug
  close(): Promise<void>
}
interface RelaySettings {
  readonly leaseMs: number
  readonly pollMs: number
  readonly batch: number
}

/** A statement that hears nothing for so long has lost its server. */
const defaultStatementTimeoutMs = 5_000

function openPool(program: Program, connectionString: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max,
    connectionTimeoutMillis: 5_000,
    query_timeout: program.statementTimeoutMs ?? defaultStatementTimeoutMs,
    keepAlive: true,
  })
  pool.on('connect', (client) =>
    client.on('error', (error) => report({ kind: 'error', during: 'connection', text: error.message })),
  )
  pool.on('error', () => undefined)
  return pool
}

export function openStore(program: Program, relay: RelaySettings | false): Store {
  const { databaseUrl, sideUrl, connections = defaultConnections } = program
  const ofSide = sideUrl === undefined ? 0 : Math.floor(connections / 3)
  const pool = openPool(program, databaseUrl, connections - ofSide)
  const side = sideUrl === undefined ? pool : openPool(program, sideUrl, ofSide)
  const bug = bugOf(program.bug)
  // What a half-open connection leaves behind holds its locks until the server gives up on it.
  const transactions = pgOutbox({
    pool,
    relay,
    idleInTransactionMs: program.statementTimeoutMs ?? defaultStatementTimeoutMs,
  })
  const inbox = pgInbox({ pool })
  const deadLetters = pgDlqStore({ pool: side })
  const rows = bug.rows?.(pgOutboxStore({ pool }), pool)
  const outbox =
    rows === undefined || relay === false ? transactions : relayOver(transactions, createRelay(rows as never, relay))
  return {
    pool,
    transactions,
    outbox: bug.outbox?.(transactions) ?? outbox,
    inbox: bug.inbox?.(inbox, pool) ?? inbox,
    deadLetters: bug.deadLetters?.(deadLetters) ?? deadLetters,
    claims: pgIdempotencyStore({ pool: side }),
    bug,
    async close() {
      await pool.end()
      if (side !== pool) await side.end()
    },
  }
}

function relayOver(right: PgOutbox, relay: Relay): Outbox<PgTransaction> {
  return { ...right, start: async (target) => relay.start(target), stop: () => relay.stop() }
}

/** A clock whose wall time is off. */
export function skewedClock(skewMs: number = 0): Clock {
  return { ...systemClock, nowMs: () => Date.now() + skewMs }
}
