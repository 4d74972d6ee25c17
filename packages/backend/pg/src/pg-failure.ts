import { evtError, isEvtError } from '@evt/core'
import { isConnectionFailure, isDataError, sqlState } from './errors.ts'

/** What a statement was for, so that its failure can name the culprit. */
export interface PgOperation {
  readonly operation: string
  /** The table it needs, as people write it. */
  readonly relation: string
  /** The rights it takes, where those on the rows of that table and what belongs to it are not enough. */
  readonly rights?: string | undefined
}

/** Turns an error of a statement of ours into one that names the table or the server; any other error stays as it is. */
export function pgFailure(error: unknown, { operation, relation, rights }: PgOperation): unknown {
  if (isEvtError(error)) return error
  const state = sqlState(error)
  const reason = error instanceof Error ? error.message : String(error)
  // A table, schema, column or function that is not there.
  if (state === '42P01' || state === '3F000' || state === '42703' || state === '42883') {
    const message = `${operation} needs the table ${relation}, or what belongs to it, which this database does not have in that form: run its migrations`
    return evtError('EVT_PG_RELATION_MISSING', message, { relation }, { cause: error })
  }
  if (state === '42501') {
    // The server names what it is: often something beside the table, such as its schema or a sequence.
    const needed = rights ?? `select, insert, update and delete on ${relation}, and the rights on what belongs to it`
    const message = `${operation} is not permitted, ${reason}: it takes ${needed}`
    return evtError('EVT_PG_PERMISSION', message, { relation }, { cause: error })
  }
  // No such database, not let in, a server that is a standby since a failover, and one without disk or memory.
  if (state !== undefined && /^(3D000|28|25006|53[124])/.test(state)) {
    // No message is at fault, and whoever mends that need not restart anything.
    const message = `${operation} was refused by PostgreSQL: ${reason}`
    return evtError('EVT_PG_REFUSED', message, { operation }, { cause: error, retryable: true })
  }
  if (isDataError(error)) {
    const message = `${operation} was given a value that PostgreSQL will not store: ${reason}`
    return evtError('EVT_PG_DATA_REFUSED', message, { operation }, { cause: error })
  }
  if (!isConnectionFailure(error)) return error
  const message = `${operation} cannot reach PostgreSQL: ${reason}`
  return evtError('EVT_PG_UNAVAILABLE', message, { operation }, { cause: error, retryable: true })
}
