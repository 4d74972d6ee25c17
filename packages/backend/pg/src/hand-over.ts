import type { PgConnection } from './pg-pool.ts'

interface HandingOver {
  on?(event: 'acquire', listener: (connection: PgConnection) => void): unknown
}

const guarded = new WeakSet<object>()

/**
 * pg's pool takes its own listener off a connection before whoever asked for it can add one. A server that says goodbye in that
 * moment would end the process with an unhandled 'error' event, so its connections have a listener of ours for good. Losing
 * the connection still shows: at its next statement, and to the pool when it is given back.
 */
export function guardHandOver(pool: object): void {
  if (guarded.has(pool)) return
  guarded.add(pool)
  const { on } = pool as HandingOver
  on?.call(pool, 'acquire', (connection) => {
    if (guarded.has(connection)) return
    guarded.add(connection)
    connection.on?.('error', () => {})
  })
}
