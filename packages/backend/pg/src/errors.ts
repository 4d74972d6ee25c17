declare module '@evt/core' {
  interface EvtErrors {
    EVT_MIGRATION_CHANGED: { readonly name: string; readonly migration: string }
    EVT_MIGRATION_NEWER: { readonly name: string; readonly applied: number; readonly known: number }
    EVT_PG_DATA_REFUSED: { readonly operation: string }
    EVT_PG_ENCODING: { readonly encoding: string }
    EVT_PG_PERMISSION: { readonly relation: string }
    EVT_PG_REFUSED: { readonly operation: string }
    EVT_PG_RELATION_MISSING: { readonly relation: string }
    EVT_PG_UNAVAILABLE: { readonly operation: string }
  }
}

/** The SQLSTATE a server answered with, or undefined where the error did not come from a server. */
export function sqlState(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined
  // Every SQLSTATE holds a digit; EPIPE, the one system error of that length, holds none.
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/**
 * Whether a server will not store what it was given, now or ever: a value outside its type (class 22), a check that somebody has
 * added to the table, a limit of the server (54000).
 */
export function isDataError(error: unknown): boolean {
  return /^(22|23514|54000)/.test(sqlState(error) ?? '')
}

/** Whether a server refused to write because it only reads, as one does that a failover has made a standby. */
export function isReadOnly(error: unknown): boolean {
  return sqlState(error) === '25006'
}

/** Whether the server or the way to it is what failed, so that trying again later may help. */
export function isConnectionFailure(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined) return /^(08|57P0|53300|58)/.test(state)
  const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as Partial<
    Record<string, unknown>
  >
  if (typeof code === 'string' && /^E[A-Z_]+$/.test(code) && !code.startsWith('EVT_')) return true
  return typeof message === 'string' && /connection|timeout|not queryable|pool after calling end/i.test(message)
}
