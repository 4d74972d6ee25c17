import { evtError, isEvtError, type Logger } from '@evt/core'
import { type PgDlqStore, pgDlqStore } from '@evt/dlq-pg'
import { type PgInbox, pgInbox } from '@evt/idempotency-pg'
import { type PgOutbox, pgOutbox } from '@evt/outbox-pg'
import { migrate, type PgPoolLike, readMigrations } from '@evt/pg'
import pg from 'pg'
import type {} from './errors.ts'
import { preparedPool } from './prepared-pool.ts'

/** The one database of orders, effects, outbox, inbox and dead letters. */
export interface Database {
  readonly pool: pg.Pool
  /** The same connections, for statements that are few and fixed. */
  readonly prepared: PgPoolLike
  /** Under what its messages are kept where others keep theirs too. */
  readonly place: string
  readonly outbox: PgOutbox
  readonly inbox: PgInbox
  readonly deadLetters: PgDlqStore
  close(): Promise<void>
}

const connections = 32
const connectMs = 10_000
/** After a kill the next run waits so long for the lead of the dead one to end. */
const relayLeaseMs = 1_000

/** Connects and migrates. Rejects with `EVT_DEMO_DATABASE`, naming the database, when it cannot be used. */
export async function openDatabase(url: string, logger: Logger): Promise<Database> {
  const pool = new pg.Pool({ connectionString: url, max: connections, connectionTimeoutMillis: connectMs })
  // For all its life: while the pool hands a connection over nobody else listens, and an error unheard ends the process.
  pool.on('connect', (client) => client.on('error', (error) => logger.warn({ err: error }, 'a connection was lost')))
  pool.on('error', () => undefined)
  const close = () => pool.end()
  try {
    await pool.query('select 1')
    const prepared = preparedPool(pool)
    const outbox = pgOutbox({ pool: prepared, relay: { leaseMs: relayLeaseMs } })
    const inbox = pgInbox({ pool: prepared })
    const deadLetters = pgDlqStore({ pool: prepared })
    await Promise.all([outbox.migrate(), inbox.migrate(), deadLetters.migrate()])
    const migrations = readMigrations(import.meta.url)
    await migrate({ pool, name: 'demo', schema: 'demo', migrations, identifiers: {} })
    const [place] = (await pool.query<{ name: string }>('select name from demo.place')).rows
    return { pool, prepared, place: place!.name, outbox, inbox, deadLetters, close }
  } catch (error) {
    await close()
    if (isEvtError(error)) throw error
    throw unusable(url, error)
  }
}

function unusable(url: string, error: unknown): Error {
  const { host, pathname } = new URL(url)
  const database = `${host}${decodeURIComponent(pathname)}`
  return evtError(
    'EVT_DEMO_DATABASE',
    `The database ${database} cannot be used: ${reasonOf(error)}`,
    { database },
    { cause: error },
  )
}

function reasonOf(error: unknown): string {
  // A name with several addresses fails with one error for each and no message of its own.
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  return error instanceof Error && error.message !== '' ? error.message : String(error)
}
