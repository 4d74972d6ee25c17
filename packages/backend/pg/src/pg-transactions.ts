import { checkFunction, checkKnown, evtError, type Transactions, wholeNumber } from '@evt/core'
import { adopt, foreignTransaction } from './adopt.ts'
import { ambientTransaction, openTransactions, runInside, runOutside } from './ambient.ts'
import { takeConnection } from './connection.ts'
import { type DatabaseScope, identify, knownScope, scopeForTransaction } from './database-scope.ts'
import type { PgExecutor, PgPoolLike, PgQueryable } from './pg-pool.ts'
import { control, isPgTransaction, type PgTransaction } from './pg-transaction.ts'
import { runTransaction } from './run-transaction.ts'

export interface PgTransactionsOptions {
  /** A pg `Pool`, or anything that hands out connections like one. Whoever creates it closes it. */
  readonly pool: PgPoolLike
  /**
   * How long a transaction may wait for its next statement before the server ends it, with its locks: what bounds the harm of
   * a connection that died without a word. Default 60,000; a shorter setting of the pool's connections stays; 0 leaves it to theirs.
   */
  readonly idleInTransactionMs?: number | undefined
}

/**
 * A transaction that somebody else opened: a pg client after BEGIN, or a function that runs statements in it. A pool is none:
 * it takes any of its connections for each statement.
 */
export type PgForeignTransaction = (PgQueryable & { readonly totalCount?: undefined }) | PgExecutor

export interface PgTransactions extends Transactions<PgTransaction> {
  /** The database's identity, once a connection was asked. */
  readonly scope: string | undefined
  join<Result>(transaction: PgTransaction | PgForeignTransaction, work: () => Promise<Result>): Promise<Result>
  /**
   * The handle of any transaction of this database. Rejects with `EVT_TX_CLOSED`, `EVT_TRANSACTION_FOREIGN` or
   * `EVT_OUTBOX_NO_TRANSACTION`; the server is asked only about transactions that somebody else opened.
   */
  resolve(transaction: unknown): Promise<PgTransaction>
}

/** Transactions of one PostgreSQL database. */
export function pgTransactions(options: PgTransactionsOptions): PgTransactions {
  checkKnown('pgTransactions', options, ['pool', 'idleInTransactionMs'])
  const { pool } = options
  checkFunction('pool.connect', pool?.connect)
  const idleMs = wholeNumber('idleInTransactionMs', options.idleInTransactionMs, { min: 0, default: 60_000 })
  // In the text of BEGIN, so that it costs no round trip and ends with the transaction.
  const bounded = `begin; set local idle_in_transaction_session_timeout = ${idleMs}`
  const isShorter = ({ idleInTransactionMs: ownMs }: DatabaseScope) => ownMs > 0 && ownMs < idleMs

  const resolve = async (transaction: unknown): Promise<PgTransaction> => {
    if (!isPgTransaction(transaction)) return (await adopt(transaction, await scopeForTransaction(pool))).handle
    if (!transaction[control].isOpen) {
      throw evtError('EVT_TX_CLOSED', 'The transaction has ended', { outbox: 'pg' })
    }
    const { value } = knownScope(pool) ?? (await scopeForTransaction(pool))
    if (transaction.scope !== value) throw foreignTransaction(value, transaction.scope)
    return transaction
  }

  return {
    get scope() {
      return knownScope(pool)?.value
    },
    resolve,
    ambient: () => ambientTransaction(knownScope(pool)?.value),
    async run(work) {
      const open = openTransactions()
      const scope = knownScope(pool)
      const outer = open.find((transaction) => transaction.scope === scope?.value)
      if (outer !== undefined) return runNested(outer, work)
      const taken = await runOutside(() => takeConnection(pool))
      let found: DatabaseScope
      try {
        found = scope ?? (await identify(pool, taken.connection))
      } catch (error) {
        taken.release(error instanceof Error ? error : undefined)
        throw error
      }
      const same = open.find((transaction) => transaction.scope === found.value)
      const opening = idleMs === 0 || isShorter(found) ? 'begin' : bounded
      if (same === undefined) return await runTransaction(taken, found.value, opening, work)
      taken.release()
      return runNested(same, work)
    },
    async join(transaction, work) {
      if (isPgTransaction(transaction)) return runInside(await resolve(transaction), work)
      const adopted = await adopt(transaction, await scopeForTransaction(pool))
      try {
        const result = await runInside(adopted.handle, work)
        const doom = adopted.seal()
        if (doom !== undefined) throw doom.error
        return result
      } finally {
        adopted.close()
      }
    },
  }
}

async function runNested<Result>(
  transaction: PgTransaction,
  work: (transaction: PgTransaction) => Promise<Result>,
): Promise<Result> {
  const leave = transaction[control].enter()
  let result: Result
  try {
    result = await work(transaction)
  } catch (error) {
    leave({ error })
    throw error
  }
  leave()
  return result
}
