import type { PgAnswer, PgQueryable } from './pg-pool.ts'

type Called = (error: unknown, answer: PgAnswer) => void
type WithCallback = (sql: string, values: unknown[] | undefined, called: Called) => Promise<PgAnswer> | undefined

/**
 * Runs one statement on a connection of a pool. pg is given a callback: a query whose callback it adds later, as it does to
 * return a promise, keeps its rows through all collections of young objects until the next full one. A wrapper that knows nothing
 * of callbacks answers with a promise, as ever. The stack of a failure leads to the socket, not to whoever asked.
 */
export function runStatement(connection: PgQueryable, sql: string, values?: unknown[]): Promise<PgAnswer> {
  return new Promise((resolve, reject) => {
    const promised = (connection.query as WithCallback).call(connection, sql, values, (error, answer) => {
      if (error) reject(error)
      else resolve(answer)
    })
    // A wrapper that passes the callback on may promise nothing.
    promised?.then((answer: PgAnswer | undefined) => {
      if (answer !== undefined) resolve(answer)
    }, reject)
  })
}
