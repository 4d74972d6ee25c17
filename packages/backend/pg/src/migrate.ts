import { evtError } from '@evt/core'
import { asError, takeConnection } from './connection.ts'
import { identify } from './database-scope.ts'
import { quotedIdentifier } from './identifier.ts'
import type { Migration } from './migration-files.ts'
import { pgFailure } from './pg-failure.ts'
import type { PgConnection, PgPoolLike } from './pg-pool.ts'

export interface MigrateOptions {
  readonly pool: PgPoolLike
  /** Whose migrations these are: capability and table, for instance `outbox/evt_outbox`. */
  readonly name: string
  /** Where the tables live; created if missing. */
  readonly schema: string
  readonly migrations: readonly Migration[]
  /** What stands for `{word}` in the files: names, which are quoted. `{schema}` is given. */
  readonly identifiers: Readonly<Record<string, string>>
}

/**
 * Applies the migrations that are missing, in one transaction; returns how many. Any number of processes may call it at once.
 * Rejects with `EVT_MIGRATION_CHANGED` or `EVT_MIGRATION_NEWER` when the database was migrated by other files than these, and
 * with `EVT_PG_ENCODING` where it cannot keep every text.
 */
export async function migrate(options: MigrateOptions): Promise<number> {
  const schema = quotedIdentifier('schema', options.schema)
  const { connection, release } = await takeConnection(options.pool)
  let failure: Error | undefined
  try {
    // Whoever migrates knows its database from then on, before the first message.
    await identify(options.pool, connection)
    await checkEncoding(connection)
    // Whatever the default is: what whoever was faster has done must show once the lock is had.
    await connection.query('begin isolation level read committed')
    const applied = await apply(connection, schema, options)
    await connection.query('commit')
    return applied
  } catch (error) {
    await connection.query('rollback').catch((lost: unknown) => {
      failure = asError(lost)
    })
    const relation = `${schema}."evt_migrations"`
    const rights = `create on the schema ${schema}, or select on ${relation} where another role has applied them`
    throw pgFailure(error, { operation: `Migrating ${options.name}`, relation, rights })
  } finally {
    release(failure)
  }
}

async function apply(connection: PgConnection, schema: string, options: MigrateOptions): Promise<number> {
  const { name, migrations } = options
  await connection.query('select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))', [
    `evt_migrations/${options.schema}`,
  ])
  const ledger = `${schema}."evt_migrations"`
  await createLedger(connection, schema, options.schema, ledger)
  const { rows } = await connection.query(`select number, checksum from ${ledger} where name = $1 order by number`, [
    name,
  ])
  const done = rows as readonly { number: number; checksum: string }[]
  for (const { number, checksum } of done) {
    const migration = migrations[number - 1]
    if (migration === undefined) throw newer(name, number, migrations.length)
    if (migration.checksum !== checksum) throw changed(name, migration.file)
  }
  for (const migration of migrations.slice(done.length)) {
    await connection.query(fill(migration.sql, { ...options.identifiers, schema: options.schema }))
    await connection.query(`insert into ${ledger} (name, number, checksum) values ($1, $2, $3)`, [
      name,
      migration.number,
      migration.checksum,
    ])
  }
  return migrations.length - done.length
}

/** Elsewhere a message with the wrong letter could be neither stored nor dead-lettered, and would be retried for ever. */
async function checkEncoding(connection: PgConnection): Promise<void> {
  const { rows } = await connection.query(`select pg_catalog.current_setting('server_encoding') as encoding`)
  const [{ encoding }] = rows as [{ encoding: string }]
  // The second stores bytes as they come.
  if (encoding === 'UTF8' || encoding === 'SQL_ASCII') return
  const message = `The database keeps text as ${encoding}, which does not hold every text: create it with encoding UTF8`
  throw evtError('EVT_PG_ENCODING', message, { encoding })
}

// Asked first: `create … if not exists` needs the right to create even where everything is there already.
async function createLedger(
  connection: PgConnection,
  schema: string,
  schemaName: string,
  ledger: string,
): Promise<void> {
  const { rows } = await connection.query(
    'select pg_catalog.to_regnamespace($1) is not null as schema, pg_catalog.to_regclass($2) is not null as ledger',
    [schema, ledger],
  )
  const found = (rows as { schema: boolean; ledger: boolean }[])[0]!
  if (!found.schema) await connection.query(`create schema ${quotedIdentifier('schema', schemaName)}`)
  if (found.ledger) return
  await connection.query(
    `create table ${ledger} (
      name text not null,
      number integer not null,
      checksum text not null,
      applied_at timestamptz not null default pg_catalog.statement_timestamp(),
      primary key (name, number)
    )`,
  )
}

function fill(sql: string, identifiers: Readonly<Record<string, string>>): string {
  return sql.replace(/\{(\w+)\}/g, (_whole, word: string) => quotedIdentifier(word, identifiers[word]))
}

function changed(name: string, migration: string): Error {
  const message = `Migration ${migration} of ${name} was applied in another form: applied migrations must not change`
  return evtError('EVT_MIGRATION_CHANGED', message, { name, migration })
}

function newer(name: string, applied: number, known: number): Error {
  const message = `${name} was migrated to ${applied} by a newer version; this one knows ${known}`
  return evtError('EVT_MIGRATION_NEWER', message, { name, applied, known })
}
