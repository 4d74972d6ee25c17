import { invalidOption } from '@evt/core'
import { quotedIdentifier, quotedTable } from '@evt/pg'

const words = [
  'topic',
  'group',
  'message',
  'parcel',
  'parcel_id',
  'dead_letter',
  'publish',
  'join',
  'backfill',
  'leave',
  'claim',
  'acknowledge',
  'settle',
  'extend',
  'trim',
] as const
type Word = (typeof words)[number]

/** What the transport's tables and functions are called. */
export interface Names {
  readonly schema: string
  readonly prefix: string
  readonly channel: string
  /** With their schema, quoted. */
  readonly quoted: Readonly<Record<Word, string>>
  /** As the migrations fill them in. */
  readonly identifiers: Readonly<Record<Word, string>>
}

export function createNames(schema: string, prefix: string): Names {
  quotedIdentifier('schema', schema)
  quotedIdentifier('prefix', prefix)
  if (prefix.length > 40) throw invalidOption('prefix', 'expected at most 40 characters')
  const all = <Value>(value: (word: Word) => Value) =>
    Object.fromEntries(words.map((word) => [word, value(word)])) as Record<Word, Value>
  const named = (word: Word) => `${prefix}_${word}`
  return {
    schema,
    prefix,
    channel: `${prefix}_wake`,
    quoted: all((word) => quotedTable(schema, named(word))),
    identifiers: all(named),
  }
}
