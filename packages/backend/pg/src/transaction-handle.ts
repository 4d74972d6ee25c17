import { evtError } from '@evt/core'
import { sqlState } from './errors.ts'
import { lastAnswer, type PgAnswer, type PgQueryable } from './pg-pool.ts'
import { control, type LastStatement, type PgQuery, type PgTransaction } from './pg-transaction.ts'
import { runStatement } from './run-statement.ts'
import { opensSavepoint, Savepoints } from './savepoints.ts'

/** A transaction as its opener sees it. */
export interface OpenTransaction {
  readonly handle: PgTransaction
  /** Resolves when every statement asked for so far has been sent, in this order before whatever comes next. */
  sent(): Promise<unknown> | undefined
  /** Refuses further use by others and returns why the transaction may not commit, if so. */
  seal(): { readonly error: unknown } | undefined
  /** Runs what was asked for before COMMIT, and answers what is to be sent together with it. */
  runBeforeCommit(): Promise<readonly LastStatement[]>
  close(): void
  runAfterCommit(): void
  /** What is still to be sent before the first statement. */
  unsent(): string | undefined
  /** The first failed statement: what made the server refuse a later one. */
  failure(): { readonly error: unknown } | undefined
  /** Leaves to another what was asked for before and after COMMIT. */
  handOver(whole: PgTransaction): void
}

/**
 * Makes the handle of a transaction that the first statement begins with `opening`, or that somebody else has begun and
 * will commit, where there is none.
 */
export function openTransaction(
  queryable: PgQueryable,
  scope: string,
  opening: string | undefined,
  { isOwned, depth }: { readonly isOwned: boolean; readonly depth: number } = {
    isOwned: opening !== undefined,
    depth: 0,
  },
): OpenTransaction {
  const isOwnConnection = opening !== undefined
  // A client of somebody else may have another use for a third argument.
  const ask = (sql: string, values?: unknown[]) =>
    isOwnConnection ? runStatement(queryable, sql, values) : queryable.query(sql, values)
  const before: ((query: PgQuery) => Promise<LastStatement | undefined>)[] = []
  const after: (() => void)[] = []
  let unsent = opening
  let beginning: Promise<PgAnswer> | undefined
  /** Statements that wait for its answer, and those that did. */
  let waiting = 0
  const early: Promise<unknown>[] = []
  let savepoints: Savepoints | undefined
  let nested = 0
  let doom: { readonly error: unknown } | undefined

  /** Sends BEGIN, with the statement where it has no parameters: in one text none runs where an earlier one fails. */
  const withBegin = async (sql: string, values: unknown[] | undefined): Promise<PgAnswer> => {
    waiting += 1
    const isShared = unsent !== undefined && values === undefined
    if (unsent !== undefined) {
      beginning = ask(isShared ? `${unsent}; ${sql}` : unsent)
      unsent = undefined
    }
    try {
      // Never right behind a BEGIN that may fail: what is sent then would commit by itself.
      const answer = await beginning!
      if (isShared) return lastAnswer(answer)
    } catch (error) {
      doom ??= { error }
      throw error
    } finally {
      waiting -= 1
    }
    // Awaited here and wherever else a promise would be returned: while AsyncLocalStorage is in use that takes half as much.
    return await ask(sql, values)
  }
  const send: PgQuery = async <Row>(sql: string, values?: readonly unknown[]) => {
    const copied = values === undefined ? undefined : [...values]
    try {
      let answered: Promise<PgAnswer>
      if (unsent === undefined && waiting === 0 && doom === undefined) answered = ask(sql, copied)
      else {
        answered = withBegin(sql, copied)
        early.push(answered)
      }
      const answer = await answered
      return { rows: answer.rows as Row[], rowCount: answer.rowCount ?? answer.rows.length }
    } catch (error) {
      // As pg does where it promises: the stack of a callback leads to the socket and not to whoever asked.
      if (isOwnConnection && error instanceof Error && sqlState(error) !== undefined) Error.captureStackTrace(error)
      state.failure ??= { error }
      throw error
    }
  }
  // Fields and functions instead of accessors: an object made with an accessor has a hidden class of its own, which keeps the
  // whole transaction until the next full garbage collection.
  const state = {
    isOpen: true,
    isOwned,
    depth,
    isSavepointSet: false,
    failure: undefined as { readonly error: unknown } | undefined,
    enter() {
      checkOpen()
      nested += 1
      return (failed?: { readonly error: unknown }) => {
        nested -= 1
        doom ??= failed
      }
    },
    mark: () => savepoints?.mark() ?? 0,
    isUndone: (mark: number) => savepoints?.isUndone(mark) === true,
  }
  const checkOpen = () => {
    if (!state.isOpen) throw ended()
  }
  const handle: PgTransaction = {
    scope,
    query<Row>(sql: string, values?: readonly unknown[]) {
      if (!state.isOpen) return Promise.reject(ended())
      if (opensSavepoint(sql)) savepoints ??= new Savepoints()
      savepoints?.see(sql)
      state.isSavepointSet = false
      return send<Row>(sql, values)
    },
    beforeCommit(hook) {
      checkOpen()
      if (isOwned) before.push(hook)
      return isOwned
    },
    afterCommit(hook) {
      checkOpen()
      if (isOwned) after.push(hook)
      return isOwned
    },
    [control]: state,
  }
  return {
    handle,
    sent: () => (waiting === 0 ? undefined : Promise.allSettled(early)),
    seal() {
      state.isOpen = false
      if (nested > 0) doom ??= { error: closed('A nested run was still going on when its transaction was to commit') }
      return doom
    },
    async runBeforeCommit() {
      const last: LastStatement[] = []
      for (const hook of before) {
        const statement = await hook(send)
        if (statement !== undefined) last.push(statement)
      }
      return last
    },
    close() {
      state.isOpen = false
    },
    runAfterCommit() {
      for (const hook of after) hook()
    },
    unsent: () => unsent,
    failure: () => state.failure,
    handOver(whole) {
      for (const hook of before) whole.beforeCommit(hook)
      for (const hook of after) whole.afterCommit(hook)
    },
  }
}

function ended(): Error {
  return closed('The transaction has ended')
}

function closed(message: string): Error {
  return evtError('EVT_TX_CLOSED', message, { outbox: 'pg' })
}
