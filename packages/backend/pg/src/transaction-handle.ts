import { evtError } from '@evt/core'
import type { PgQueryable } from './pg-pool.ts'
import { control, type PgQuery, type PgTransaction } from './pg-transaction.ts'

/** A transaction as its opener sees it. */
export interface OpenTransaction {
  readonly handle: PgTransaction
  /** Refuses further use by others and returns why the transaction may not commit, if so. */
  seal(): { readonly error: unknown } | undefined
  runBeforeCommit(): Promise<void>
  close(): void
  runAfterCommit(): void
  /** The first failed statement: what made the server refuse a later one. */
  readonly failure: { readonly error: unknown } | undefined
}

/** Makes the handle of a transaction that was just begun (`owned`) or that somebody else will commit. */
export function openTransaction(queryable: PgQueryable, scope: string, owned: boolean): OpenTransaction {
  const before: ((query: PgQuery) => Promise<void>)[] = []
  const after: (() => void)[] = []
  let isOpen = true
  let nested = 0
  let doom: { readonly error: unknown } | undefined
  let failure: { readonly error: unknown } | undefined

  const send: PgQuery = async <Row>(sql: string, values?: readonly unknown[]) => {
    try {
      const answer = await queryable.query(sql, values === undefined ? undefined : [...values])
      return { rows: answer.rows as Row[], rowCount: answer.rowCount ?? answer.rows.length }
    } catch (error) {
      failure ??= { error }
      throw error
    }
  }
  const checkOpen = () => {
    if (!isOpen) throw closed('The transaction has ended')
  }
  const handle: PgTransaction = {
    scope,
    async query<Row>(sql: string, values?: readonly unknown[]) {
      checkOpen()
      return send<Row>(sql, values)
    },
    beforeCommit(hook) {
      checkOpen()
      if (owned) before.push(hook)
      return owned
    },
    afterCommit(hook) {
      checkOpen()
      if (owned) after.push(hook)
      return owned
    },
    [control]: {
      get isOpen() {
        return isOpen
      },
      enter() {
        checkOpen()
        nested += 1
        return (failed) => {
          nested -= 1
          doom ??= failed
        }
      },
    },
  }
  return {
    handle,
    seal() {
      isOpen = false
      if (nested > 0) doom ??= { error: closed('A nested run was still going on when its transaction was to commit') }
      return doom
    },
    async runBeforeCommit() {
      for (const hook of before) await hook(send)
    },
    close() {
      isOpen = false
    },
    runAfterCommit() {
      for (const hook of after) hook()
    },
    get failure() {
      return failure
    },
  }
}

function closed(message: string): Error {
  return evtError('EVT_TX_CLOSED', message, { outbox: 'pg' })
}
