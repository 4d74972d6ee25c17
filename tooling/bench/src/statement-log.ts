import type { PgConnection, PgPoolLike } from '@evt/pg'

/** Writes down every statement that goes over a pool. */
export interface StatementLog extends PgPoolLike {
  readonly statements: string[]
}

export function statementLog(pool: PgPoolLike): StatementLog {
  const statements: string[] = []
  return {
    statements,
    async connect() {
      const connection = await pool.connect()
      return new Proxy(connection, {
        get(target, name) {
          const value = Reflect.get(target, name) as unknown
          if (typeof value !== 'function') return value
          if (name !== 'query') return value.bind(target)
          return (sql: string, values?: unknown[]) => {
            statements.push(sql)
            return target.query(sql, values)
          }
        },
      }) as PgConnection
    },
  }
}
