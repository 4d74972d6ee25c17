import { randomUUID } from 'node:crypto'
import pg from 'pg'

/** A database of its own on the run's PostgreSQL. */
export interface FreshDatabase {
  readonly url: string
  readonly pool: pg.Pool
  /** Closes the pool and removes the database. */
  drop(): Promise<void>
}

/** Whether this run has a PostgreSQL. */
export const hasPostgres: boolean = process.env.EVT_PG_URL !== undefined

export async function freshDatabase(connections = 20): Promise<FreshDatabase> {
  const base = process.env.EVT_PG_URL!
  const name = `evt_${randomUUID().replaceAll('-', '')}`
  await once(base, `create database ${name}`)
  const url = new URL(base)
  url.pathname = `/${name}`
  const pool = new pg.Pool({ connectionString: url.href, max: connections })
  // A connection that a test kills on purpose must not end the test.
  pool.on('error', () => undefined)
  return {
    url: url.href,
    pool,
    async drop() {
      await pool.end()
      await once(base, `drop database ${name} with (force)`)
    },
  }
}

async function once(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql)
  await client.end()
}
