import type { Fetched, KafkaHeaders, KafkaRecord } from '../client.ts'
import type { FetchedMessage, FetchedPartition } from './cluster.ts'

/** The records of a fetched partition from an offset on, without control records and aborted transactions. */
export function readRecords(data: FetchedPartition, from: number): Fetched {
  const isAborted = abortedRecords(data)
  const records: KafkaRecord[] = []
  let next = from
  for (const message of data.messages) {
    const offset = Number(message.offset)
    const skipped = isAborted(message)
    // A batch is fetched whole, also what stands in it before the offset asked for.
    if (offset < from) continue
    next = offset + 1
    if (skipped || message.isControlRecord === true) continue
    const { key, value } = message
    const bytes = (key?.byteLength ?? 0) + (value?.byteLength ?? 0)
    records.push({ offset, timestampMs: Number(message.timestamp), key, value, headers: readHeaders(message), bytes })
  }
  return { records, next, end: Number(data.highWatermark) }
}

function readHeaders({ headers }: FetchedMessage): KafkaHeaders {
  const read: Record<string, string> = Object.create(null)
  for (const name in headers) {
    const value = headers[name]
    // Of a repeated header the first counts; one that is null is as good as none.
    const first = Array.isArray(value) ? value[0] : value
    if (first !== undefined && first !== null) read[name] = typeof first === 'string' ? first : first.toString('utf8')
  }
  return read
}

/** Tells records of aborted transactions. Asked in order, once for each record. */
function abortedRecords({ abortedTransactions }: FetchedPartition): (message: FetchedMessage) => boolean {
  if (abortedTransactions === undefined || abortedTransactions === null || abortedTransactions.length === 0) {
    return () => false
  }
  const waiting = [...abortedTransactions].sort((left, right) => Number(left.firstOffset) - Number(right.firstOffset))
  const aborting = new Set<string>()
  return ({ offset, isControlRecord, batchContext }) => {
    while (waiting.length > 0 && Number(waiting[0]!.firstOffset) <= Number(offset)) {
      aborting.add(waiting.shift()!.producerId)
    }
    if (batchContext === undefined || !aborting.has(batchContext.producerId)) return false
    if (isControlRecord === true) aborting.delete(batchContext.producerId)
    return batchContext.inTransaction
  }
}
