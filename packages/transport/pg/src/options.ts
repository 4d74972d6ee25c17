import { type Clock, checkFunction, checkKnown, type Logger, silentLogger, systemClock, wholeNumber } from '@evt/core'
import type { PgListenPool, PgPoolLike } from '@evt/pg'

export interface PgTransportOptions {
  /** A pg `Pool`, also one that leads through a transaction pooler. Whoever creates it closes it. */
  readonly pool: PgPoolLike
  /**
   * A pool with a direct connection, for LISTEN and NOTIFY; one connection of it is kept. May be `pool` itself where that
   * leads directly to the server. Default none: other processes are woken by polling alone.
   */
  readonly listen?: PgListenPool | undefined
  /** Default `public`; created by `migrate` if missing. */
  readonly schema?: string | undefined
  /** What the names of tables, functions and the channel begin with, at most 40 characters. Default `evt_transport`. */
  readonly prefix?: string | undefined
  /** How often a process looks for what it was not woken for, in ms. Default 1,000. */
  readonly pollMs?: number | undefined
  /** How long messages stay after every group has acknowledged them, in ms: for groups to come. Default 0. */
  readonly retainMs?: number | undefined
  /** Ephemeral readers that have not read for so long are removed, in ms, at least 60,000. Default 3,600,000. */
  readonly reapAfterMs?: number | undefined
  /** Bytes of payload a message may have. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined
  /** How long a transaction of `run` may wait for its next statement before the server ends it. Default 60,000; 0: the server's own. */
  readonly idleInTransactionMs?: number | undefined
  readonly clock?: Clock | undefined
  /** Default silent. */
  readonly logger?: Logger | undefined
}
export interface Settings {
  readonly pool: PgPoolLike
  readonly listen: PgListenPool | undefined
  readonly schema: string
  readonly prefix: string
  readonly pollMs: number
  readonly retainMs: number
  readonly reapAfterMs: number
  readonly maxMessageBytes: number
  readonly idleInTransactionMs: number | undefined
  readonly clock: Clock
  readonly logger: Logger
}

const known = [
  'pool',
  'listen',
  'schema',
  'prefix',
  'pollMs',
  'retainMs',
  'reapAfterMs',
  'maxMessageBytes',
  'idleInTransactionMs',
  'clock',
  'logger',
]
const day = 86_400_000

export function readOptions(options: PgTransportOptions): Settings {
  checkKnown('pgTransport', options, known)
  checkFunction('pool.connect', options.pool?.connect)
  if (options.listen !== undefined) checkFunction('listen.connect', options.listen?.connect)
  return {
    pool: options.pool,
    listen: options.listen,
    schema: options.schema ?? 'public',
    prefix: options.prefix ?? 'evt_transport',
    pollMs: wholeNumber('pollMs', options.pollMs, { min: 10, max: 60_000, default: 1_000 }),
    retainMs: wholeNumber('retainMs', options.retainMs, { min: 0, max: 3_650 * day, default: 0 }),
    reapAfterMs: wholeNumber('reapAfterMs', options.reapAfterMs, { min: 60_000, max: 365 * day, default: 3_600_000 }),
    maxMessageBytes: wholeNumber('maxMessageBytes', options.maxMessageBytes, {
      min: 1_024,
      max: 128 * 1_024 * 1_024,
      default: 16 * 1_024 * 1_024,
    }),
    idleInTransactionMs: options.idleInTransactionMs,
    clock: options.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
  }
}
