import { isEvtError } from '@evt/core'
import { failureOf } from '@evt/core/conformance'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import pg from 'pg'
import { arrayLiteral, decodeText, encodeText, type Migration, migrate, quotedIdentifier } from '../src/index.ts'

let database: FreshDatabase
beforeEach(async () => {
  database = await freshDatabase()
})
afterEach(() => database.drop())

const step = (number: number, sql: string, checksum = sql): Migration => ({
  number,
  file: `000${number}.sql`,
  sql,
  checksum,
})
const first = step(1, 'create table {schema}.{table} (id text)')
const second = step(2, 'alter table {schema}.{table} add column more text')
const settings = (migrations: readonly Migration[], pool = database.pool) => ({
  pool,
  name: 'test/things',
  schema: 'own_schema',
  migrations,
  identifiers: { table: 'things' },
})

test('five pools that migrate at once apply each migration once', async () => {
  const pools = Array.from({ length: 5 }, () => new pg.Pool({ connectionString: database.url, max: 1 }))
  const applied = await Promise.all(pools.map((pool) => migrate(settings([first, second], pool))))
  expect(applied.sort()).toEqual([0, 0, 0, 0, 2])
  await database.pool.query('select id, more from own_schema.things')
  await Promise.all(pools.map((pool) => pool.end()))
})

test('processes may migrate at once also where the database gives transactions a fixed view of the past', async () => {
  const options = '-c default_transaction_isolation=serializable'
  const pools = Array.from({ length: 5 }, () => new pg.Pool({ connectionString: database.url, max: 1, options }))
  const applied = await Promise.allSettled(pools.map((pool) => migrate(settings([first, second], pool))))
  await Promise.all(pools.map((pool) => pool.end()))
  expect(applied.map((result) => result.status)).toEqual(pools.map(() => 'fulfilled'))
})

test('only what is missing is applied, and a failing migration leaves nothing of itself', async () => {
  expect(await migrate(settings([first]))).toBe(1)
  const broken = step(3, 'alter table {schema}.{table} add column third text; select 1 / 0')
  await expect(migrate(settings([first, second, broken]))).rejects.toThrow('division by zero')
  const columns = async () =>
    (
      await database.pool.query(`select column_name from information_schema.columns where table_name = 'things'`)
    ).rows.map((row) => row.column_name as string)
  expect(await columns()).toEqual(['id'])
  expect(await migrate(settings([first, second]))).toBe(1)
  expect(await migrate(settings([first, second]))).toBe(0)
  expect(await columns()).toEqual(['id', 'more'])
})

test('an applied migration that has changed is EVT_MIGRATION_CHANGED and names the file', async () => {
  await migrate(settings([first]))
  const error = await failureOf(migrate(settings([{ ...first, checksum: 'other' }])))
  expect(isEvtError(error, 'EVT_MIGRATION_CHANGED') && error.details.migration).toBe('0001.sql')
})

test('a database migrated by a newer version is EVT_MIGRATION_NEWER', async () => {
  await migrate(settings([first, second]))
  const error = await failureOf(migrate(settings([first])))
  expect(isEvtError(error, 'EVT_MIGRATION_NEWER') && error.details).toEqual({
    name: 'test/things',
    applied: 2,
    known: 1,
  })
})

test('a name that is not plain is refused by its option, whatever it tries, and nothing is created', async () => {
  const names = [
    'x"; drop table y; --',
    "x'",
    'a.b',
    'a b',
    '',
    '1a',
    'ä',
    'x\0',
    'x\n',
    '{table}',
    '$1',
    '"quoted"',
    'x'.repeat(64),
    undefined,
    null,
    7,
  ]
  for (const name of names) {
    expect(() => quotedIdentifier('table', name)).toThrow(/table/)
    const failures = [
      await failureOf(migrate({ ...settings([first]), schema: name as string })),
      await failureOf(migrate({ ...settings([first]), identifiers: { table: name as string } })),
    ]
    expect(failures.every((error) => isEvtError(error, 'EVT_OPTION_INVALID'))).toBe(true)
  }
  const { rows } = await database.pool.query(`select to_regnamespace('own_schema') is null as nothing`)
  expect(rows).toEqual([{ nothing: true }])
})

test('names that are legal are quoted, so that reserved words and upper case work', async () => {
  const named = { ...settings([first]), schema: 'Order', identifiers: { table: 'select' } }
  expect(await migrate(named)).toBe(1)
  await database.pool.query('select id from "Order"."select"')
})

test('any text survives a trip through the server in an array', async () => {
  const texts = [
    '',
    'NULL',
    'null',
    '"',
    '\\',
    '{a,b}',
    ' x ',
    'NUL \0',
    'half \ud800',
    '\udc00',
    '\u0001',
    '\u0001\\u0000',
  ]
  const bytes = Uint8Array.from([0, 92, 34, 255])
  const { rows } = await database.pool.query('select ($1::text)::text[] as texts, ($2::text)::bytea[] as bytes', [
    arrayLiteral([...texts.map(encodeText), null]),
    arrayLiteral([bytes]),
  ])
  expect(rows[0].texts.slice(0, -1).map(decodeText)).toEqual(texts)
  expect(rows[0].texts.at(-1)).toBeNull()
  expect([...rows[0].bytes[0]]).toEqual([...bytes])
})

test.each(['LATIN1', 'SQL_ASCII'])(
  'a database that keeps text as %s is migrated only where it keeps all of it',
  async (encoding) => {
    const name = `other_${encoding.toLowerCase()}_${process.pid}`
    await database.pool.query(
      `create database ${name} encoding '${encoding}' template template0 lc_collate 'C' lc_ctype 'C'`,
    )
    const address = new URL(database.url)
    address.pathname = `/${name}`
    const pool = new pg.Pool({ connectionString: address.href })
    // The database is dropped while the last connection still says goodbye.
    pool.on('error', () => {})
    try {
      const error = await failureOf(migrate(settings([first], pool)))
      if (encoding === 'LATIN1') expect(isEvtError(error, 'EVT_PG_ENCODING') && error.details).toEqual({ encoding })
      else {
        expect(error).toBeUndefined()
        const text = 'Größe \u{1f600} заказ'
        await pool.query('insert into own_schema.things values ($1)', [text])
        expect((await pool.query('select id from own_schema.things')).rows).toEqual([{ id: text }])
      }
    } finally {
      await pool.end()
      await database.pool.query(`drop database ${name} with (force)`)
    }
  },
)
