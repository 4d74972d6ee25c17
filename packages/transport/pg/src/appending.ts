import { evtError, type RelayTarget, type StoredMessage, type TransportSupport } from '@evt/core'
import { CommitBuffer, type PgTransaction, type PgTransactions, pgFailure } from '@evt/pg'
import type { Ask } from './database.ts'
import type { Names } from './names.ts'
import type { KnownTopic, Topics } from './topics.ts'
import { writeMessages } from './write-messages.ts'

interface AppendingParts {
  readonly transactions: PgTransactions
  readonly names: Names
  readonly topics: Topics
  readonly supports: TransportSupport
  onPublished(topics: Iterable<KnownTopic>): void
}
/** The half of the transport that is an outbox: what is published in a transaction is written in it, and needs no relay. */
export interface Appending {
  append(transaction: unknown, messages: readonly StoredMessage[]): Promise<void>
  start(target: RelayTarget): void
}

/** Messages are buffered and written in one statement right before COMMIT; in somebody else's transaction at the call. */
export function createAppending(parts: AppendingParts): Appending {
  const { transactions, names, topics, supports } = parts
  const buffer = new CommitBuffer<StoredMessage>()
  let target: RelayTarget | undefined

  const check = ({ id, transport, payload }: StoredMessage) => {
    if (payload.byteLength > supports.maxMessageBytes) {
      const text = `The message has ${payload.byteLength} bytes, at most ${supports.maxMessageBytes} are accepted`
      throw evtError('EVT_PUBLISH_REFUSED', text, { id, transport })
    }
    const isOurs = target === undefined ? transport === 'pg' : target.supports(transport) === supports
    if (isOurs) return
    const text = `The PostgreSQL transport has no relay: in its transactions it cannot publish over "${transport}"`
    throw evtError('EVT_TRANSPORT_UNKNOWN', text, { transport, known: ['pg'] })
  }
  const askIn = (query: PgTransaction['query']): Ask => {
    return async <Row>(operation: string, sql: string, values: readonly unknown[]) => {
      try {
        return (await query<Row>(sql, values)).rows
      } catch (error) {
        throw pgFailure(error, { operation, relation: names.quoted.message })
      }
    }
  }
  const write = async (query: PgTransaction['query'], messages: readonly StoredMessage[]) => {
    const ask = askIn(query)
    const resolved = await topics.resolve(
      ask,
      messages.map((message) => message.topic),
    )
    try {
      await writeMessages(ask, names, resolved, messages)
    } catch (error) {
      topics.forget(resolved.keys())
      throw error
    }
    return resolved
  }
  return {
    start(given) {
      target = given
    },
    async append(given, messages) {
      for (const message of messages) check(message)
      const transaction = await transactions.resolve(given)
      const isBuffered = buffer.add(transaction, messages, () => {
        let written: ReadonlyMap<string, KnownTopic> | undefined
        return {
          async write(query, kept) {
            if (kept.length > 0) written = await write(query, kept)
            return undefined
          },
          afterCommit: () => parts.onPublished(written?.values() ?? []),
        }
      })
      if (!isBuffered) await write(transaction.query, messages)
    },
  }
}
