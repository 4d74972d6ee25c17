import { crashPoint, evtError } from '@evt/core'
import { runInside, runOutside } from './ambient.ts'
import { asError, type WatchedConnection } from './connection.ts'
import { isReadOnly, sqlState } from './errors.ts'
import { pgFailure } from './pg-failure.ts'
import { lastAnswer } from './pg-pool.ts'
import type { LastStatement, PgTransaction } from './pg-transaction.ts'
import { runStatement } from './run-statement.ts'
import { type OpenTransaction, openTransaction } from './transaction-handle.ts'

/** Runs work between BEGIN and COMMIT on a connection, and gives the connection back. */
export async function runTransaction<Result>(
  taken: WatchedConnection,
  scope: string,
  opening: string,
  work: (transaction: PgTransaction) => Promise<Result>,
): Promise<Result> {
  const transaction = openTransaction(taken.connection, scope, opening)
  let result: Result
  let last: readonly LastStatement[]
  try {
    result = await runInside(transaction.handle, () => work(transaction.handle))
    await transaction.sent()
    const doom = transaction.seal()
    if (doom !== undefined) throw doom.error
    // Lost before COMMIT was sent: nothing has been committed, and whoever waited too long is told so.
    const lost = taken.lost()
    if (lost !== undefined) throw pgFailure(lost, { operation: 'Going on in a transaction', relation: '' })
    last = await transaction.runBeforeCommit()
    crashPoint('tx.beforeCommit')
  } catch (error) {
    transaction.close()
    await transaction.sent()
    // Nothing was asked of the server, so nothing is to be undone.
    if (transaction.unsent() === undefined) await rollBack(taken, transaction.failure()?.error)
    else taken.release()
    throw sqlState(error) === '25P02' ? (transaction.failure()?.error ?? error) : error
  }
  await commit(taken, transaction, last)
  crashPoint('tx.afterCommit')
  runOutside(() => transaction.runAfterCommit())
  return result
}

async function commit(
  taken: WatchedConnection,
  transaction: OpenTransaction,
  last: readonly LastStatement[],
): Promise<void> {
  const unsent = transaction.unsent()
  // Nothing was asked of the server, so nothing has to be committed.
  if (unsent !== undefined && last.length === 0) return taken.release()
  const before = last.map(({ sql }) => `${sql}; `).join('')
  let command: string | undefined
  try {
    command = lastAnswer(
      await runStatement(taken.connection, `${unsent === undefined ? '' : `${unsent}; `}${before}commit`),
    ).command
  } catch (error) {
    const usable = await rollBack(taken, error)
    const state = sqlState(error)
    const earlier = transaction.failure()
    if (state === '25P02' && usable && earlier !== undefined) throw earlier.error
    // Only a server that answers, and goes on answering, is known to have refused.
    if (usable && state !== undefined && !/^(08|40003)/.test(state)) {
      throw last.reduce((failure, { failed }) => failed(failure), error)
    }
    throw evtError(
      'EVT_TX_OUTCOME_UNKNOWN',
      'The connection was lost during COMMIT: the transaction may or may not have been committed',
      { outbox: 'pg' },
      { cause: error },
    )
  }
  taken.release()
  // The server answers COMMIT with ROLLBACK where a statement had failed and the failure was swallowed.
  if (command === 'ROLLBACK') {
    throw transaction.failure()?.error ?? evtError('EVT_TX_CLOSED', 'The transaction was rolled back', { outbox: 'pg' })
  }
}

/** Rolls back and gives the connection back; one that cannot, or leads to a standby, is destroyed. True when it could. */
async function rollBack({ connection, release }: WatchedConnection, failure: unknown): Promise<boolean> {
  try {
    await connection.query('rollback')
  } catch (error) {
    release(asError(error))
    return false
  }
  // A pool would hand it out again and again, although a new one may find the server that writes.
  release(isReadOnly(failure) ? asError(failure) : undefined)
  return true
}
