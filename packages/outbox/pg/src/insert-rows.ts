import type { StoredMessage } from '@evt/core'
import { arrayLiteral, encodeText, plainLiteral } from '@evt/pg'

type Write = (sql: string, values: readonly unknown[]) => Promise<unknown>

const maxStatementBytes = 32 * 1_024 * 1_024
/**
 * Up to so many rows are listed one by one: PostgreSQL parses and plans that three times as fast as arrays for one row, and
 * at about a hundred rows the many parameters begin to cost more than they save.
 */
const mostListed = 20
const columns = 'transport, topic, message_id, key, headers, payload'

/** The server scans literals byte by byte; larger payloads are sent as parameters. */
const mostLiteralBytes = 64 * 1_024

/** The statement without parameters, so that it can share a round trip with COMMIT; undefined where parameters are better. */
export function literalInsert(table: string, messages: readonly StoredMessage[]): string | undefined {
  if (messages.length > mostListed) return undefined
  let bytes = 0
  let rows = ''
  for (const message of messages) {
    bytes += message.payload.byteLength
    if (bytes > mostLiteralBytes) return undefined
    rows += rows === '' ? '(' : ', ('
    for (const text of texts(message)) {
      const literal = text === null ? 'null' : plainLiteral(text)
      if (literal === undefined) return undefined
      rows += `${literal}, `
    }
    // What has no backslash is the same as bytes; half as long as its hexadecimal digits.
    rows += `${plainLiteral(latin1(message.payload)) ?? `decode('${hex(message.payload)}', 'hex')`})`
  }
  return `insert into ${table} (${columns}) values ${rows}`
}

/** One statement for any number of messages, unless they are so large that the server could not take them at once. */
export async function insertRows(table: string, write: Write, messages: readonly StoredMessage[]): Promise<void> {
  let first = 0
  let bytes = 0
  for (const [index, message] of messages.entries()) {
    if (index > first && bytes + message.payload.byteLength > maxStatementBytes) {
      await insertSome(table, write, messages.slice(first, index))
      first = index
      bytes = 0
    }
    bytes += message.payload.byteLength
  }
  await insertSome(table, write, first === 0 ? messages : messages.slice(first))
}

async function insertSome(table: string, write: Write, messages: readonly StoredMessage[]): Promise<void> {
  if (messages.length > mostListed) return insertArrays(table, write, messages)
  const rows = messages.map((_message, row) => {
    const at = row * 6
    return `($${at + 1}, $${at + 2}, $${at + 3}, $${at + 4}, $${at + 5}, ($${at + 6}::text)::bytea)`
  })
  const values = messages.flatMap((message) => [...texts(message), `\\x${hex(message.payload)}`])
  await write(`insert into ${table} (${columns}) values ${rows.join(', ')}`, values)
}

async function insertArrays(table: string, write: Write, messages: readonly StoredMessage[]): Promise<void> {
  const rows = messages.map(texts)
  await write(
    `insert into ${table} (${columns}) select ${columns}
     from unnest(($1::text)::text[], ($2::text)::text[], ($3::text)::text[], ($4::text)::text[], ($5::text)::text[],
       ($6::text)::bytea[]) with ordinality as given (${columns}, place) order by place`,
    [
      ...[0, 1, 2, 3, 4].map((column) => arrayLiteral(rows.map((row) => row[column] ?? null))),
      arrayLiteral(messages.map((message) => message.payload)),
    ],
  )
}

function texts({ transport, topic, id, key, headers }: StoredMessage): readonly (string | null)[] {
  return [
    encodeText(transport),
    encodeText(topic),
    encodeText(id),
    key === undefined ? null : encodeText(key),
    encodeText(JSON.stringify(headers)),
  ]
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
