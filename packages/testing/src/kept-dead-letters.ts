import type { AnyEvent, DeadLetterEntry, DeadLetters, PayloadOf } from '@evt/core'
import type { Rejected } from './test-bus.ts'
import type { Failure, Tracker } from './tracker.ts'

/** The dead letters of a test bus: kept here, and in the store that the test gave. */
export interface KeptDeadLetters extends DeadLetters {
  of<E extends AnyEvent>(event: E): readonly Rejected<PayloadOf<E>>[]
}

export function keepDeadLetters(store: DeadLetters | undefined, tracker: Tracker): KeptDeadLetters {
  const kept: { readonly entry: DeadLetterEntry; readonly failure: Failure | undefined }[] = []
  return {
    name: store?.name ?? 'test',
    async append(entries) {
      await store?.append(entries)
      for (const entry of entries) kept.push({ entry, failure: tracker.failure(entry.consumer, entry.messageId) })
    },
    async blockedKeys(consumer, topic, keys) {
      if (store !== undefined) return store.blockedKeys(consumer, topic, keys)
      return keys.filter((key) =>
        kept.some(({ entry }) => entry.consumer === consumer && entry.topic === topic && entry.key === key),
      )
    },
    of: <E extends AnyEvent>(event: E) =>
      kept
        .filter(({ entry }) => entry.event === event.name)
        .map(({ entry, failure }) => ({
          payload: failure?.payload as PayloadOf<E> | undefined,
          error: errorOf(entry, failure),
          consumer: entry.consumer,
          attempts: entry.attempts,
        })),
  }
}

/** The error itself where the handler threw it; a time-out is the bus's own, of which only the record is known. */
function errorOf(entry: DeadLetterEntry, failure: Failure | undefined): unknown {
  const record = entry.history.at(-1)
  const thrown = failure?.error
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  if (record === undefined || (failure !== undefined && record.message === message.slice(0, 2_048))) return thrown
  const { name, code } = record
  return Object.assign(new Error(record.message), code === undefined ? { name } : { name, code })
}
