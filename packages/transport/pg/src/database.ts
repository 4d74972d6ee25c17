import { type PgPoolLike, pgFailure, withConnection } from '@evt/pg'
import type { Names } from './names.ts'

/** Runs a statement somewhere: on a connection of the pool, or in a transaction. */
export type Ask = <Row>(operation: string, sql: string, values: readonly unknown[]) => Promise<readonly Row[]>

/** Every statement on a connection of its own, taken for its length: nothing is kept that a transaction pooler could lose. */
export function askPool(pool: PgPoolLike, names: Names): Ask {
  return async <Row>(operation: string, sql: string, values: readonly unknown[]) => {
    try {
      const { rows } = await withConnection(pool, (connection) => connection.query(sql, [...values]))
      return rows as readonly Row[]
    } catch (error) {
      throw pgFailure(error, { operation, relation: names.quoted.message })
    }
  }
}
