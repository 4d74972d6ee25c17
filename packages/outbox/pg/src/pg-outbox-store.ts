import type { StoredMessage } from '@evt/core'
import type { Lease, OutboxRow, OutboxStore } from '@evt/outbox'
import {
  arrayLiteral,
  decodeText,
  encodeText,
  type PgOperation,
  type PgPoolLike,
  type PgTransaction,
  pgFailure,
  withConnection,
} from '@evt/pg'

interface Row {
  readonly id: string
  readonly transport: string
  readonly topic: string
  readonly message_id: string
  readonly key: string | null
  readonly headers: string
  readonly payload: Uint8Array
}
type Write = (sql: string, values: readonly unknown[]) => Promise<unknown>

/** Rows in one table, the lead in another beside it. Time is the server's. */
export function pgOutboxStore(pool: PgPoolLike, table: string, leadTable: string): OutboxStore<PgTransaction> {
  const ask = async (
    operation: string,
    sql: string,
    values: readonly unknown[] = [],
  ): Promise<{ rows: readonly unknown[]; rowCount: number }> => {
    try {
      const answer = await withConnection(pool, (connection) => connection.query(sql, [...values]))
      return { rows: answer.rows, rowCount: answer.rowCount ?? 0 }
    } catch (error) {
      throw pgFailure(error, { operation, relation: table } satisfies PgOperation)
    }
  }
  const mine = (lease: Lease) => [lease.owner, lease.token]
  return {
    name: 'pg',
    append: (transaction, messages) => insertRows(table, (sql, values) => transaction.query(sql, values), messages),
    async lead(owner, leaseMs) {
      const { rows } = await ask(
        'Leading the relay',
        `insert into ${leadTable} as held (owner, token, expires_at)
         values ($1, 1, statement_timestamp() + $2 * interval '1 millisecond')
         on conflict (one) do update set owner = excluded.owner, expires_at = excluded.expires_at,
           token = held.token + (held.owner <> excluded.owner)::int
         where held.owner = excluded.owner or held.expires_at < statement_timestamp()
         returning token::text`,
        [owner, leaseMs],
      )
      const row = rows[0] as { token: string } | undefined
      return row === undefined ? null : { owner, token: row.token }
    },
    async release(lease) {
      await ask(
        'Leaving the lead',
        `update ${leadTable} set expires_at = '-infinity' where owner = $1 and token = $2`,
        mine(lease),
      )
    },
    async bound() {
      const { rows } = await ask('Reading the outbox', `select max(id)::text as id from ${table} where refused is null`)
      return (rows[0] as { id: string | null }).id
    },
    async read({ after, upTo, skipKeys, limit }) {
      const { rows } = await ask(
        'Reading the outbox',
        `select id::text, transport, topic, message_id, key, headers, payload from ${table}
         where id > $1 and id <= $2 and refused is null
           and (cardinality(($3::text)::text[]) = 0 or key is null or (transport || E'\\n' || key) <> all (($3::text)::text[]))
         order by ${table}.id limit $4`,
        [after ?? '0', upTo, arrayLiteral(skipKeys.map(encodeText)), limit],
      )
      return (rows as Row[]).map(toOutboxRow)
    },
    async delete(positions) {
      await ask('Deleting published rows', `delete from ${table} where id = any (($1::text)::bigint[])`, [
        `{${positions.join(',')}}`,
      ])
    },
    async park(lease, parked) {
      const { rowCount } = await ask(
        'Putting refused rows aside',
        `update ${table} as row set refused = given.reason
         from unnest(($3::text)::bigint[], ($4::text)::text[]) as given (id, reason)
         where row.id = given.id and exists (select from ${leadTable} where owner = $1 and token = $2 and expires_at >= statement_timestamp())`,
        [
          ...mine(lease),
          `{${parked.map((row) => row.position).join(',')}}`,
          arrayLiteral(parked.map((row) => encodeText(row.reason))),
        ],
      )
      return rowCount > 0
    },
    async count() {
      const { rows } = await ask(
        'Counting the outbox',
        `select count(*) filter (where refused is null)::int as waiting, count(*) filter (where refused is not null)::int as parked from ${table}`,
      )
      return rows[0] as { waiting: number; parked: number }
    },
  }
}

/** One statement for any number of messages. */
export async function insertRows(table: string, write: Write, messages: readonly StoredMessage[]): Promise<void> {
  const column = (value: (message: StoredMessage) => string | null) => arrayLiteral(messages.map(value))
  await write(
    `insert into ${table} (transport, topic, message_id, key, headers, payload)
     select transport, topic, message_id, key, headers, payload
     from unnest(($1::text)::text[], ($2::text)::text[], ($3::text)::text[], ($4::text)::text[], ($5::text)::text[],
       ($6::text)::bytea[])
       with ordinality as given (transport, topic, message_id, key, headers, payload, place) order by place`,
    [
      column((message) => message.transport),
      column((message) => message.topic),
      column((message) => encodeText(message.id)),
      column((message) => (message.key === undefined ? null : encodeText(message.key))),
      column((message) => encodeText(JSON.stringify(message.headers))),
      arrayLiteral(messages.map((message) => message.payload)),
    ],
  )
}

function toOutboxRow(row: Row): OutboxRow {
  const headers = Object.assign(Object.create(null), JSON.parse(decodeText(row.headers))) as Record<string, string>
  return {
    position: row.id,
    message: {
      transport: row.transport,
      topic: row.topic,
      id: decodeText(row.message_id),
      key: row.key === null ? undefined : decodeText(row.key),
      headers,
      payload: row.payload,
    },
  }
}
