import { StoredText } from '@evt/core'
import type { OutboxRow } from '@evt/outbox'
import { decodeText } from '@evt/pg'

export interface WrittenRow {
  readonly id: string
  readonly transport: string
  readonly topic: string
  readonly message_id: string
  readonly key: string | null
  readonly headers: string
  readonly payload: Uint8Array
}

/**
 * Parameters: after, up to, keys to skip, limit, bytes, the transport or null, transports to leave out. The size of a
 * payload is known without reading it, so rows beyond the bytes are never fetched.
 */
export function readingStatement(table: string): string {
  return `select id::text, transport, topic, message_id, key, headers, payload
    from (
      select *, sum(octet_length(payload)) over (order by id rows between unbounded preceding and 1 preceding) as before
      from (
        select * from ${table}
        where id > $1 and id <= $2 and refused is null
          and (cardinality(($3::text)::text[]) = 0 or key is null or key <> all (($3::text)::text[]))
          and ($6::text is null or transport = $6) and transport <> all (($7::text)::text[])
        order by id limit $4
      ) as few
    ) as sized
    where coalesce(before, 0) < $5
    order by sized.id`
}

/** What cannot be read must hold up nothing: such a row says why instead. */
export function toOutboxRow(row: WrittenRow): OutboxRow {
  const position = row.id
  try {
    const key = row.key === null ? undefined : decodeText(row.key)
    const id = decodeText(row.message_id)
    const { payload } = row
    const transport = decodeText(row.transport)
    const topic = decodeText(row.topic)
    const message = new StoredText({ transport, topic, id, key, payload }, decodeText(row.headers))
    return { position, key, message }
  } catch (error) {
    return { position, key: row.key ?? undefined, message: undefined, unreadable: `the row cannot be read: ${error}` }
  }
}
