import { evtError, systemClock, within } from '@evt/core'
import { withConnection } from './connection.ts'
import { sqlState } from './errors.ts'
import type { PgPoolLike, PgQueryable } from './pg-pool.ts'

/** Which database a pool leads to, and the expression that says so. */
export interface DatabaseScope {
  readonly value: string
  readonly expression: string
  /** After which the server ends a transaction of the pool's that waits for its next statement, by the pool's own setting; 0: never. */
  readonly idleInTransactionMs: number
}

const oid = `(select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())`
const exact = `(select system_identifier from pg_catalog.pg_control_system())::text || '/' || ${oid}::text`
// Some hosted servers keep the control file to themselves; name and oid then stand for the identity.
const approximate = `'?/' || ${oid}::text || '/' || pg_catalog.current_database()::text`
const idle = `(select setting from pg_catalog.pg_settings where name = 'idle_in_transaction_session_timeout')`
const known = new WeakMap<PgPoolLike, DatabaseScope>()
/** How long a transaction waits for the connection on which the scope is asked. */
const patienceMs = 2_000

/** The scope of a pool if a connection of it was ever asked. */
export function knownScope(pool: PgPoolLike): DatabaseScope | undefined {
  return known.get(pool)
}

/** Asks one connection of the pool, outside a transaction, once per pool. */
export async function identify(pool: PgPoolLike, connection: PgQueryable): Promise<DatabaseScope> {
  const cached = known.get(pool)
  if (cached !== undefined) return cached
  let scope: DatabaseScope
  try {
    scope = await ask(connection, exact)
  } catch (error) {
    const state = sqlState(error)
    if (state !== '42501' && state !== '42883' && state !== '0A000') throw error
    scope = await ask(connection, approximate)
  }
  known.set(pool, scope)
  return scope
}

/** The scope of a pool, asked on a connection of its own where it is not known yet. */
export async function scopeOf(pool: PgPoolLike): Promise<DatabaseScope> {
  return knownScope(pool) ?? (await withConnection(pool, (connection) => identify(pool, connection)))
}

/**
 * The same for somebody who is in a transaction already. Where transactions hold every connection of the pool, none of them
 * would ever get another one: so each is refused after a while, and the first to end leaves a connection to ask on.
 */
export async function scopeForTransaction(pool: PgPoolLike): Promise<DatabaseScope> {
  const known = knownScope(pool)
  if (known !== undefined) return known
  const asked = scopeOf(pool)
  if (!(await within(systemClock, patienceMs, asked))) throw noConnection()
  return asked
}

function noConnection(): Error {
  const operation = 'Asking which database the pool leads to'
  const message = `${operation} found no connection that is free: call migrate or start before the first transaction`
  return evtError('EVT_PG_UNAVAILABLE', message, { operation }, { retryable: true })
}

async function ask(connection: PgQueryable, expression: string): Promise<DatabaseScope> {
  const { rows } = await connection.query(`select ${expression} as scope, ${idle} as idle_ms`)
  const [row] = rows as [{ scope: string; idle_ms: string | null }]
  return { value: row.scope, expression, idleInTransactionMs: Number(row.idle_ms) }
}
