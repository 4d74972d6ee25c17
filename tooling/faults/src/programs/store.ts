import type { Clock, Outbox } from '@evt/core'
import { systemClock } from '@evt/core'
import { type PgDlqStore, pgDlqStore } from '@evt/dlq-pg'
import { type PgInbox, pgInbox } from '@evt/idempotency-pg'
import { type PgOutbox, pgOutbox } from '@evt/outbox-pg'
import type { PgTransaction } from '@evt/pg'
import pg from 'pg'
import { type Bug, bugOf } from '../bugs/index.ts'
import { report } from './report.ts'
import type { Program } from './specification.ts'

/** Outbox, inbox and dead letters of a program, with the program's seeded bug in them if it has one. */
export interface Store {
  readonly pool: pg.Pool
  readonly transactions: PgOutbox
  readonly outbox: Outbox<PgTransaction>
  readonly inbox: Pick<PgInbox, 'name' | 'enter'>
  readonly deadLetters: Pick<PgDlqStore, 'name' | 'append' | 'blockedKeys'>
  readonly bug: Bug
}
interface RelaySettings {
  readonly leaseMs: number
  readonly pollMs: number
  readonly batch: number
}

/** A statement that hears nothing for so long has lost its server. */
const defaultStatementTimeoutMs = 5_000

export function openStore(program: Program, relay: RelaySettings | false, statementTimeoutMs?: number): Store {
  const pool = new pg.Pool({
    connectionString: program.databaseUrl,
    max: program.connections ?? 12,
    connectionTimeoutMillis: 5_000,
    query_timeout: statementTimeoutMs ?? defaultStatementTimeoutMs,
    keepAlive: true,
  })
  pool.on('connect', (client) =>
    client.on('error', (error) => report({ kind: 'error', during: 'connection', text: error.message })),
  )
  pool.on('error', () => undefined)
  const bug = bugOf(program.bug)
  const transactions = pgOutbox({ pool, relay })
  const parts = { pool, transactions, leaseMs: relay === false ? undefined : relay.leaseMs }
  return {
    pool,
    transactions,
    outbox: bug.outbox?.(parts) ?? transactions,
    inbox: bug.inbox?.(pool) ?? pgInbox({ pool }),
    deadLetters: bug.deadLetters?.(pgDlqStore({ pool })) ?? pgDlqStore({ pool }),
    bug,
  }
}

/** A clock whose wall time is off. */
export function skewedClock(skewMs: number = 0): Clock {
  return { ...systemClock, nowMs: () => Date.now() + skewMs }
}
