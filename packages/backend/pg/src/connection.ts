import { isConnectionFailure, isReadOnly } from './errors.ts'
import { guardHandOver } from './hand-over.ts'
import { pgFailure } from './pg-failure.ts'
import type { PgConnection, PgPoolLike } from './pg-pool.ts'

/** A connection that is watched while it is out of the pool: losing it between two statements must not end the process. */
export interface WatchedConnection {
  readonly connection: PgConnection
  /** Why the connection is known to be lost, if it is. */
  lost(): Error | undefined
  /** Gives it back, or destroys it when it was lost or an error is passed. */
  release(error?: Error): void
}

/** Takes a connection from a pool; `EVT_PG_UNAVAILABLE` when there is none to be had. */
export async function takeConnection(pool: PgPoolLike): Promise<WatchedConnection> {
  guardHandOver(pool)
  let connection: PgConnection
  try {
    connection = await pool.connect()
  } catch (error) {
    throw pgFailure(error, { operation: 'Taking a connection', relation: '' })
  }
  let lost: Error | undefined
  const onLost = (error: Error) => {
    // The first says why, the next that it is gone.
    lost ??= error
  }
  connection.on?.('error', onLost)
  return {
    connection,
    lost: () => lost,
    release(error) {
      connection.removeListener?.('error', onLost)
      connection.release(error ?? lost)
    },
  }
}

/** Runs statements outside a transaction on one connection, which is destroyed if it was lost or leads to a standby. */
export async function withConnection<Result>(
  pool: PgPoolLike,
  work: (connection: PgConnection) => Promise<Result>,
): Promise<Result> {
  const { connection, release } = await takeConnection(pool)
  let result: Result
  try {
    result = await work(connection)
  } catch (error) {
    release(isConnectionFailure(error) || isReadOnly(error) ? asError(error) : undefined)
    throw error
  }
  release()
  return result
}

export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
