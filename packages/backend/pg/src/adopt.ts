import { randomUUID } from 'node:crypto'
import { evtError } from '@evt/core'
import type { DatabaseScope } from './database-scope.ts'
import type { PgExecutor, PgQueryable } from './pg-pool.ts'
import { isPgTransaction } from './pg-transaction.ts'
import { type OpenTransaction, openTransaction } from './transaction-handle.ts'

/**
 * Wraps a transaction that somebody else opened. A value set for the length of the transaction is still there in the next
 * statement only if there is a transaction, on one connection; nothing of it can fail or leave a trace.
 */
export async function adopt(foreign: unknown, expected: DatabaseScope): Promise<OpenTransaction> {
  const queryable = asQueryable(foreign)
  const token = randomUUID()
  const begun = await queryable.query(
    `select pg_catalog.set_config('evt.transaction', $1, true) as token, ${expected.expression} as scope`,
    [token],
  )
  const scope = (begun.rows[0] as { scope?: unknown } | undefined)?.scope
  if (typeof scope === 'string' && scope !== expected.value) throw foreignTransaction(expected.value, scope)
  const seen = await queryable.query(`select pg_catalog.current_setting('evt.transaction', true) as token`, [])
  if ((seen.rows[0] as { token?: unknown } | undefined)?.token !== token) throw noTransaction()
  return openTransaction(queryable, expected.value, undefined)
}

export function foreignTransaction(expected: string, actual: string): Error {
  const message = `The transaction belongs to database ${actual}, not to ${expected}`
  return evtError('EVT_TRANSACTION_FOREIGN', message, { expected, actual })
}

function asQueryable(foreign: unknown): PgQueryable {
  if (typeof foreign === 'function') {
    const execute = foreign as PgExecutor
    return { query: async (sql, values) => execute(sql, values ?? []) }
  }
  if (typeof foreign === 'object' && foreign !== null && !isPgTransaction(foreign) && 'query' in foreign) {
    if (typeof foreign.query === 'function') return foreign as PgQueryable
  }
  throw noTransaction()
}

function noTransaction(): Error {
  return evtError(
    'EVT_OUTBOX_NO_TRANSACTION',
    'Expected a transaction of `run`, a pg client after BEGIN, or an executor inside a transaction',
    { outbox: 'pg' },
  )
}
