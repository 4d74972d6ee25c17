import { type Clock, guardedLogger, type Logger, silentLogger, systemClock, type Timer } from '@evt/core'
import { runOutside } from './ambient.ts'
import { asError } from './connection.ts'
import { guardHandOver } from './hand-over.ts'
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

/**
 * Says across processes that there is something to look for, over one connection that it keeps while it listens or has told
 * something within a second: who commits must not wait in a pool for the way to say so. Only ever a hint: whoever is woken also polls.
 */
export interface PgWake {
  /** Listens, again whenever the connection was lost. Calls `onWake` also after each reconnect. */
  listen(onWake: () => void): void
  /** Tells the listeners soon, in a statement of its own; calls that come close together become one. */
  notify(): void
  /** Stops listening and gives the connection back. */
  close(): Promise<void>
}

const reconnectMs = 1_000
const coalesceMs = 10
/** How long a connection that only notifies stays without a notification: whoever ends the pool waits for it. */
const idleMs = 1_000

export function pgWake({ pool, channel, clock = systemClock, ...options }: PgWakeOptions): PgWake {
  const logger = guardedLogger(options.logger ?? silentLogger)
  const quoted = quotedIdentifier('channel', channel)
  guardHandOver(pool)
  let closed = false
  let onWake: (() => void) | undefined
  let own: PgConnection | undefined
  let retry: Timer | undefined
  let connecting: Promise<void> | undefined
  let notifying: Timer | undefined
  let sending: Promise<void> | undefined
  let again = false
  let idle: Timer | undefined

  const drop = (connection: PgConnection, error: Error) => {
    if (own !== connection) return
    own = undefined
    connection.release(error)
    if (closed || onWake === undefined) return
    logger.warn({ err: error, channel }, 'LISTEN was lost; polling goes on')
    retry = clock.startTimer(() => void connect(), reconnectMs)
  }
  const open = async () => {
    let connection: PgListenConnection
    try {
      connection = await pool.connect()
    } catch (error) {
      if (closed || onWake === undefined) return
      logger.warn({ err: asError(error), channel }, 'LISTEN found no connection; polling goes on')
      retry = clock.startTimer(() => void connect(), reconnectMs)
      return
    }
    own = connection
    connection.on('error', (error: Error) => drop(connection, error))
    connection.on('end', () => drop(connection, new Error('The connection ended')))
    connection.on('notification', (notification: { channel: string }) => {
      if (own === connection && notification.channel === channel) onWake?.()
    })
    if (onWake !== undefined) await startListening(connection)
  }
  const startListening = async (connection: PgConnection) => {
    try {
      await connection.query(`listen ${quoted}`)
      onWake?.()
    } catch (error) {
      drop(connection, asError(error))
    }
  }
  /** One attempt at a time to have a connection, and none while there is one: a notification may have found it before the retry. */
  const connect = (): Promise<void> => {
    retry?.cancel()
    if (own !== undefined) return Promise.resolve()
    connecting ??= runOutside(open).finally(() => {
      connecting = undefined
    })
    return connecting
  }
  const sendAll = async () => {
    while (again && !closed) {
      again = false
      await send()
    }
    sending = undefined
    if (onWake === undefined && !closed) idle = clock.startTimer(letGo, idleMs)
  }
  /** Destroyed rather than returned: the next user of the pool must inherit neither listeners nor the LISTEN. */
  const letGo = () => {
    const connection = own
    own = undefined
    connection?.release(new Error('No longer needed for waking'))
  }
  const send = async () => {
    if (own === undefined) await connect()
    const connection = own
    if (connection === undefined) return
    try {
      await connection.query('select pg_catalog.pg_notify($1, $2)', [channel, ''])
    } catch (error) {
      logger.debug({ err: asError(error), channel }, 'NOTIFY failed; polling finds the work')
      drop(connection, asError(error))
    }
  }

  return {
    listen(wake) {
      if (closed || onWake !== undefined) return
      onWake = wake
      idle?.cancel()
      if (own !== undefined) void runOutside(() => startListening(own!))
      // One that is being opened for a notification finds `onWake` once it is there.
      else void connect()
    },
    notify() {
      if (closed || notifying !== undefined) return
      notifying = clock.startTimer(() => {
        notifying = undefined
        again = true
        idle?.cancel()
        // One statement at a time on this connection; whoever comes meanwhile is told of by the next.
        sending ??= runOutside(sendAll)
      }, coalesceMs)
    },
    async close() {
      if (closed) return
      closed = true
      retry?.cancel()
      notifying?.cancel()
      await Promise.all([connecting, sending])
      idle?.cancel()
      letGo()
    },
  }
}
