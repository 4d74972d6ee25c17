import {
  type DeadLetterPage,
  type ErrorRecord,
  readErrorHistory,
  type Settlement,
  type TransportDeadLetter,
} from '@evt/core'
import type { KafkaConnection, KafkaRecord, NewRecord } from './client.ts'
import { own, ownHeader, readKafkaHeaders, writeKafkaHeaders } from './headers.ts'

const maxHistoryBytes = 12_000
const maxReasonLength = 2_048
const nothing = new Uint8Array(0)

type DeadLetter = Settlement & { readonly as: 'deadLetter' }

/** A dead letter as a record. Its key is the same however often it is written, so that it is kept once. */
export function letterRecord(consumer: string, settlement: DeadLetter): NewRecord {
  const { headers, payload, key } = settlement.delivery
  const about = key === undefined ? [] : [own.key, key]
  return record(consumer, settlement, settlement.reason, payload, [...writeKafkaHeaders(headers), ...about])
}

/** What is kept of a message that the broker refuses as a letter for its size: all that is small, and where the rest is. */
export function cutLetter(consumer: string, settlement: DeadLetter, place: string): NewRecord {
  const { headers, payload, key } = settlement.delivery
  const reason = `${settlement.reason.slice(0, maxReasonLength / 2)} (its ${payload.byteLength} bytes are too large for a letter and were left at ${place})`
  const about = [...writeKafkaHeaders(headers), ...(key === undefined ? [] : [own.key, key])]
  const bytes = about.reduce((total, text) => total + Buffer.byteLength(text), 0)
  return record(consumer, settlement, reason, nothing, bytes > maxHistoryBytes ? [] : about)
}

function record(
  consumer: string,
  { delivery: { position }, history }: DeadLetter,
  reason: string,
  value: Uint8Array,
  about: readonly string[],
): NewRecord {
  return {
    key: `${consumer}:${position}`,
    value,
    headers: [
      ...about,
      ...[own.consumer, consumer],
      ...[own.position, position],
      ...[own.reason, reason.slice(0, maxReasonLength)],
      ...[own.history, writeHistory(history)],
    ],
  }
}

/** The newest errors, as many as there is room for. */
function writeHistory(history: readonly ErrorRecord[]): string {
  for (let first = 0; first < history.length; first += 1) {
    const text = JSON.stringify(history.slice(first))
    if (Buffer.byteLength(text) <= maxHistoryBytes) return text
  }
  return '[]'
}

/** Letters behind one, oldest first, in the partition that all letters of a topic share. */
export async function readLetters(
  connection: KafkaConnection,
  topic: string,
  { after, limit }: DeadLetterPage,
): Promise<readonly TransportDeadLetter[]> {
  const [earliest = 0] = await connection.offsets(topic, 'earliest')
  const [end = 0] = await connection.offsets(topic, 'latest')
  let from = Math.max(earliest, after === undefined ? 0 : offsetOf(after) + 1)
  const letters = new Map<string, TransportDeadLetter>()
  // A letter may be removed by any later record, so every page reads to the end; another round replaces the removed.
  for (let more = true; more && letters.size < limit; ) {
    more = false
    let resume = from
    for (let offset = from; offset < end; ) {
      const { records, next } = await connection.fetch(topic, 0, offset)
      for (const record of records) {
        const key = record.key ?? ''
        if (record.value === null) letters.delete(key)
        else if (!letters.has(key)) {
          if (letters.size < limit && !more) letters.set(key, toLetter(record, key))
          else more = true
        }
        if (!more) resume = record.offset + 1
      }
      if (next <= offset) break
      offset = next
    }
    from = resume
  }
  return [...letters.values()]
}

/** Records that say that letters are gone; the topic is compacted, so the broker removes both in time. */
export function removals(ids: readonly string[]): NewRecord[] {
  return [...new Set(ids)].flatMap((id) => {
    const key = id.slice(id.indexOf(':') + 1)
    return key === '' || !id.includes(':') ? [] : [{ key, value: null, headers: [] }]
  })
}

function offsetOf(id: string): number {
  const offset = Number(id.slice(0, id.indexOf(':')))
  return Number.isSafeInteger(offset) ? offset : -1
}

function toLetter({ offset, headers, value }: KafkaRecord, recordKey: string): TransportDeadLetter {
  return {
    id: `${offset}:${recordKey}`,
    consumer: ownHeader(headers, own.consumer) ?? '',
    position: ownHeader(headers, own.position) ?? '',
    headers: readKafkaHeaders(headers),
    payload: value!,
    key: ownHeader(headers, own.key),
    reason: ownHeader(headers, own.reason) ?? '',
    history: readErrorHistory(ownHeader(headers, own.history)),
  }
}
