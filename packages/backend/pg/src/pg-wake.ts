import { type Clock, type Logger, silentLogger, systemClock, type Timer } from '@evt/core'
import { runOutside } from './ambient.ts'
import { asError, withConnection } from './connection.ts'
import { quotedIdentifier } from './identifier.ts'
import type { PgConnection } from './pg-pool.ts'

/** A pool whose connections can LISTEN: pg's own, connected directly and not through a transaction pooler. */
export interface PgListenPool {
  connect(): Promise<PgListenConnection>
}
interface PgListenConnection extends PgConnection {
  on(event: 'error' | 'notification' | 'end', listener: (value: never) => void): unknown
}

export interface PgWakeOptions {
  readonly pool: PgListenPool
  readonly channel: string
  readonly clock?: Clock | undefined
  readonly logger?: Logger | undefined
}

/** Says across processes that there is something to look for. Only ever a hint: whoever is woken also polls. */
export interface PgWake {
  /** Listens on a connection of its own, taken again whenever it is lost. Calls `onWake` also after each reconnect. */
  listen(onWake: () => void): void
  /** Tells the listeners soon, in a statement of its own; calls that come close together become one. */
  notify(): void
  /** Stops listening and gives the connection back. */
  close(): Promise<void>
}

const reconnectMs = 1_000
const coalesceMs = 10

export function pgWake({ pool, channel, clock = systemClock, logger = silentLogger }: PgWakeOptions): PgWake {
  const quoted = quotedIdentifier('channel', channel)
  let closed = false
  let onWake: (() => void) | undefined
  let listening: PgConnection | undefined
  let retry: Timer | undefined
  let connecting: Promise<void> | undefined
  let notifying: Timer | undefined
  let sending: Promise<void> | undefined

  const drop = (connection: PgConnection, error: Error) => {
    if (listening !== connection) return
    listening = undefined
    connection.release(error)
    if (closed) return
    logger.warn({ error, channel }, 'LISTEN was lost; polling goes on')
    retry = clock.startTimer(connect, reconnectMs)
  }
  const open = async () => {
    let connection: PgListenConnection
    try {
      connection = await pool.connect()
    } catch (error) {
      logger.warn({ error: asError(error), channel }, 'LISTEN found no connection; polling goes on')
      if (!closed) retry = clock.startTimer(connect, reconnectMs)
      return
    }
    listening = connection
    connection.on('error', (error: Error) => drop(connection, error))
    connection.on('end', () => drop(connection, new Error('The connection ended')))
    connection.on('notification', (notification: { channel: string }) => {
      if (listening === connection && notification.channel === channel) onWake?.()
    })
    try {
      await connection.query(`listen ${quoted}`)
      onWake?.()
    } catch (error) {
      drop(connection, asError(error))
    }
  }
  const connect = () => {
    connecting = runOutside(open)
  }
  const send = async () => {
    try {
      await withConnection(pool, (connection) => connection.query('select pg_catalog.pg_notify($1, $2)', [channel, '']))
    } catch (error) {
      logger.debug({ error: asError(error), channel }, 'NOTIFY failed; polling finds the work')
    }
  }

  return {
    listen(wake) {
      if (closed || onWake !== undefined) return
      onWake = wake
      connect()
    },
    notify() {
      if (closed || notifying !== undefined) return
      notifying = clock.startTimer(() => {
        notifying = undefined
        sending = runOutside(send)
      }, coalesceMs)
    },
    async close() {
      if (closed) return
      closed = true
      retry?.cancel()
      notifying?.cancel()
      await Promise.all([connecting, sending])
      const connection = listening
      listening = undefined
      // Destroyed rather than returned: the next user of the pool must not inherit the LISTEN.
      connection?.release(new Error('No longer listening'))
    },
  }
}
