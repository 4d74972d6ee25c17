import { StoredText } from '@evt/core'
import type { OutboxRow, ReadRange } from '@evt/outbox'
import { arrayLiteral, decodeText, encodeText } from '@evt/pg'

export interface WrittenRow {
  readonly id: string
  readonly transport: string
  readonly topic: string
  readonly message_id: string
  readonly key: string | null
  readonly headers: string
  readonly payload: string
}

const wanted = 'id, transport, topic, message_id, key, headers, payload'
/** No text that is the same escaped begins with it. */
const hexadecimal = '\\'

/**
 * The statement for a range above a position. The size of a payload is known without reading it, so rows beyond the bytes are
 * never fetched. A payload comes as text where it is ASCII without a backslash: half of the bytes, and nothing to decode.
 */
export function reading(
  table: string,
  above: string,
  { transport, upTo, skipKeys, limit, maxBytes }: ReadRange,
): { readonly sql: string; readonly values: readonly unknown[] } {
  const values: unknown[] = [above, upTo, limit, maxBytes]
  let which: string
  if ('only' in transport) which = `transport = $${values.push(transport.only)}`
  else which = `transport <> all (($${values.push(arrayLiteral(transport.noneOf))}::text)::text[])`
  if (skipKeys.length > 0) {
    const skipped = arrayLiteral(skipKeys.map(encodeText))
    which += ` and (key is null or key <> all (($${values.push(skipped)}::text)::text[]))`
  }
  const sql = `select id::text, transport, topic, message_id, key, headers,
      case when octet_length(text) = octet_length(payload) then text else chr(92) || encode(payload, 'hex') end as payload
    from (
      select ${wanted}, encode(payload, 'escape') as text
      from (
        select *, sum(octet_length(payload)) over (order by id rows between unbounded preceding and 1 preceding) as before
        from (
          select ${wanted} from ${table}
          where id > $1 and id <= $2 and refused is null and ${which}
          order by id limit $3
        ) as few
      ) as sized
      where coalesce(before, 0) < $4
      offset 0
    ) as fetched
    order by fetched.id`
  return { sql, values }
}

/** What cannot be read must hold up nothing: such a row says why instead. */
export function toOutboxRow(row: WrittenRow): OutboxRow {
  const position = row.id
  try {
    const key = row.key === null ? undefined : decodeText(row.key)
    const id = decodeText(row.message_id)
    const payload = row.payload.startsWith(hexadecimal) ? Buffer.from(row.payload.slice(1), 'hex') : row.payload
    const transport = decodeText(row.transport)
    const topic = decodeText(row.topic)
    const message = new StoredText({ transport, topic, id, key, payload }, decodeText(row.headers))
    return { position, key, message }
  } catch (error) {
    return { position, key: row.key ?? undefined, message: undefined, unreadable: `the row cannot be read: ${error}` }
  }
}
