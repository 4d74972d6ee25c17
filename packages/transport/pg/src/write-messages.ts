import { type Outgoing, partitionOf } from '@evt/core'
import { arrayLiteral, encodeText } from '@evt/pg'
import type { Ask } from './database.ts'
import type { Names } from './names.ts'
import type { KnownTopic } from './topics.ts'

/** Writes messages and what their groups have to handle, in one statement. */
export async function writeMessages(
  ask: Ask,
  names: Names,
  topics: ReadonlyMap<string, KnownTopic>,
  messages: readonly Outgoing[],
): Promise<void> {
  let ids = ''
  let partitions = ''
  const keys: (string | null)[] = []
  const headers: string[] = []
  const payloads: Uint8Array[] = []
  for (const message of messages) {
    const topic = topics.get(message.topic)!
    const separator = ids === '' ? '' : ','
    ids += separator + topic.id
    partitions += separator + placeOf(message, topic)
    keys.push(message.key === undefined ? null : encodeText(message.key))
    // JSON writes NUL and halves of pairs escaped: it can be stored as it is.
    headers.push(JSON.stringify(message.headers))
    payloads.push(message.payload)
  }
  const sql = `select ${names.quoted.publish}(($1::text)::integer[], ($2::text)::integer[], ($3::text)::text[],
    ($4::text)::text[], ($5::text)::bytea[])`
  const values = [`{${ids}}`, `{${partitions}}`, arrayLiteral(keys), arrayLiteral(headers), arrayLiteral(payloads)]
  await ask('Publishing', sql, values)
}

/** Messages without a key are spread by their id: any partition will do. */
function placeOf(message: Outgoing, topic: KnownTopic): number {
  return topic.partitions === undefined ? 0 : partitionOf(message.key ?? message.id, topic.partitions)
}
