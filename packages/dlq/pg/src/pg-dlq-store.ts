import { checkKnown, type DeadLetterEntry, withoutPrototype } from '@evt/core'
import { checkFilter, checkId, type DlqFilter, type DlqStore, pageLimit } from '@evt/dlq'
import {
  arrayLiteral,
  decodeText,
  encodeText,
  migrate,
  type PgPoolLike,
  pgFailure,
  quotedTable,
  readMigrations,
  withConnection,
} from '@evt/pg'

export interface PgDlqOptions {
  /** A pg `Pool`; whoever creates it closes it. */
  readonly pool: PgPoolLike
  /** Default `public`. */
  readonly schema?: string | undefined
  /** Default `evt_dlq`. */
  readonly table?: string | undefined
}
export interface PgDlqStore extends DlqStore {
  migrate(): Promise<void>
}

const texts = [
  'id',
  'message_id',
  'event',
  'topic',
  'consumer',
  'position',
  'source',
  'key',
  'content_type',
  'headers',
  'reason',
  'history',
] as const
type Row = Readonly<Record<(typeof texts)[number], string | null>> & {
  readonly payload: Uint8Array
  readonly attempts: number
  /** Milliseconds, as text: what a driver makes of a date is the application's choice. */
  readonly at_ms: string
}

/** Dead letters in a table, one statement per append. */
export function pgDlqStore(options: PgDlqOptions): PgDlqStore {
  checkKnown('pgDlqStore', options, ['pool', 'schema', 'table'])
  const { pool, schema = 'public', table: name = 'evt_dlq' } = options
  const table = quotedTable(schema, name)
  const ask = async (operation: string, sql: string, values: readonly unknown[]) => {
    try {
      return (await withConnection(pool, (connection) => connection.query(sql, [...values]))).rows
    } catch (error) {
      throw pgFailure(error, { operation, relation: table })
    }
  }
  const where = `($1::text is null or event = $1) and ($2::text is null or consumer = $2)
    and ($3::timestamptz is null or dead_lettered_at >= $3) and ($4::timestamptz is null or dead_lettered_at < $4)`
  const filterValues = (filter: DlqFilter) => {
    checkFilter(filter)
    return [stored(filter.event), stored(filter.consumer), filter.from ?? null, filter.to ?? null]
  }
  const columns = [...texts, 'payload', 'attempts', 'dead_lettered_at'].join(', ')
  const read = `${[...texts, 'payload', 'attempts'].join(', ')},
    round(extract(epoch from dead_lettered_at) * 1000)::bigint::text as at_ms`
  const insert = `insert into ${table} (${columns})
    select ${columns}
    from unnest(${texts.map((_name, index) => `($${index + 1}::text)::text[]`).join(', ')},
      ($13::text)::bytea[], ($14::text)::integer[], ($15::text)::timestamptz[]) as given (${columns})
    order by id on conflict do nothing`
  return {
    name: 'pg',
    async append(entries) {
      const rows = entries.map(toTexts)
      await ask('Keeping dead letters', insert, [
        ...texts.map((name) => arrayLiteral(rows.map((row) => row[name]))),
        arrayLiteral(entries.map((entry) => entry.payload)),
        `{${entries.map((entry) => entry.attempts).join(',')}}`,
        arrayLiteral(entries.map((entry) => entry.deadLetteredAt.toISOString())),
      ])
    },
    async blockedKeys(consumer, topic, keys) {
      const rows = await ask(
        'Looking for blocked keys',
        `select distinct key from ${table} where consumer = $1 and topic = $2
           and hashtextextended(key, 0) = any (array(select hashtextextended(asked, 0) from unnest(($3::text)::text[]) as keys (asked)))
           and key = any (($3::text)::text[])`,
        [encodeText(consumer), encodeText(topic), arrayLiteral(keys.map(encodeText))],
      )
      return (rows as { key: string }[]).map((row) => decodeText(row.key))
    },
    async get(id) {
      checkId(id)
      const [row] = await ask('Reading a dead letter', `select ${read} from ${table} where id = $1`, [encodeText(id)])
      return row === undefined ? undefined : toEntry(row as Row)
    },
    async list(filter = {}, page = {}) {
      const limit = pageLimit(page)
      const rows = await ask(
        'Listing dead letters',
        `select ${read} from ${table} where ${where} and ($5::text is null or id > $5) order by id limit $6`,
        [...filterValues(filter), stored(page.cursor), limit + 1],
      )
      const entries = (rows as Row[]).slice(0, limit).map(toEntry)
      return { entries, cursor: rows.length > limit ? entries.at(-1)!.id : undefined }
    },
    async count(filter = {}) {
      const [row] = await ask(
        'Counting dead letters',
        `select count(*)::int as count from ${table} where ${where}`,
        filterValues(filter),
      )
      return (row as { count: number }).count
    },
    async migrate() {
      const migrations = readMigrations(import.meta.url)
      await migrate({ pool, name: `dlq/${name}`, schema, migrations, identifiers: { table: name } })
    },
  }
}

/** Text as it stands in the table. */
function stored(text: string | undefined): string | null {
  return text === undefined ? null : encodeText(text)
}

function toTexts(entry: DeadLetterEntry): Readonly<Record<(typeof texts)[number], string | null>> {
  return {
    id: encodeText(entry.id),
    message_id: stored(entry.messageId),
    event: encodeText(entry.event),
    topic: encodeText(entry.topic),
    consumer: encodeText(entry.consumer),
    position: encodeText(entry.position),
    source: stored(entry.source),
    key: stored(entry.key),
    content_type: stored(entry.contentType),
    headers: encodeText(JSON.stringify(entry.headers)),
    reason: encodeText(entry.reason),
    history: encodeText(JSON.stringify(entry.history)),
  }
}

function toEntry(row: Row): DeadLetterEntry {
  const text = (value: string | null) => (value === null ? undefined : decodeText(value))
  return {
    id: decodeText(row.id!),
    messageId: text(row.message_id),
    event: decodeText(row.event!),
    topic: decodeText(row.topic!),
    consumer: decodeText(row.consumer!),
    position: decodeText(row.position!),
    source: text(row.source),
    key: text(row.key),
    contentType: text(row.content_type),
    headers: withoutPrototype(JSON.parse(decodeText(row.headers!))),
    payload: row.payload,
    reason: decodeText(row.reason!),
    attempts: row.attempts,
    history: (JSON.parse(decodeText(row.history!)) as DeadLetterEntry['history']).map((record) => ({
      ...record,
      code: record.code,
    })),
    deadLetteredAt: new Date(Number(row.at_ms)),
  }
}
