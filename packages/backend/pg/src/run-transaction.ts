import { crashPoint, evtError } from '@evt/core'
import { runInside, runOutside } from './ambient.ts'
import { asError, type WatchedConnection } from './connection.ts'
import { sqlState } from './errors.ts'
import type { PgConnection } from './pg-pool.ts'
import type { PgTransaction } from './pg-transaction.ts'
import { type OpenTransaction, openTransaction } from './transaction-handle.ts'

/** Runs work between BEGIN and COMMIT on a connection, and gives the connection back. */
export async function runTransaction<Result>(
  taken: WatchedConnection,
  scope: string,
  work: (transaction: PgTransaction) => Promise<Result>,
): Promise<Result> {
  const { connection } = taken
  const transaction = openTransaction(connection, scope, true)
  let result: Result
  try {
    await connection.query('begin')
    result = await runInside(transaction.handle, async () => work(transaction.handle))
    const doom = transaction.seal()
    if (doom !== undefined) throw doom.error
    await transaction.runBeforeCommit()
    crashPoint('tx.beforeCommit')
  } catch (error) {
    transaction.close()
    await rollBack(taken)
    throw sqlState(error) === '25P02' ? (transaction.failure?.error ?? error) : error
  }
  await commit(taken, connection, transaction)
  crashPoint('tx.afterCommit')
  runOutside(() => transaction.runAfterCommit())
  return result
}

async function commit(taken: WatchedConnection, connection: PgConnection, transaction: OpenTransaction): Promise<void> {
  let command: string | undefined
  try {
    command = (await connection.query('commit')).command
  } catch (error) {
    const usable = await rollBack(taken)
    // Only a server that answers, and goes on answering, is known to have refused.
    if (usable && sqlState(error) !== undefined && !/^(08|40003)/.test(sqlState(error)!)) throw error
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
    throw transaction.failure?.error ?? evtError('EVT_TX_CLOSED', 'The transaction was rolled back', { outbox: 'pg' })
  }
}

/** Rolls back and gives the connection back; one that cannot is destroyed. True when it could. */
async function rollBack({ connection, release }: WatchedConnection): Promise<boolean> {
  try {
    await connection.query('rollback')
  } catch (error) {
    release(asError(error))
    return false
  }
  release()
  return true
}
