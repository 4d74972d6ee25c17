import { type Logger, partitionOf } from '@evt/core'
import type { KafkaConnection, NewRecord, PartitionBatch, ProduceFailure } from './client.ts'
import { unavailable } from './errors.ts'
import { own, ownHeader } from './headers.ts'

export type OwnTopic = 'letters' | 'retry'

/**
 * Appends to a topic of the transport's own, created where it is missing; rejects unless it is certain. Answers what is
 * refused also packed: of dead letters only what is too large.
 */
export type Append = (
  serverTopic: string,
  kind: OwnTopic,
  records: readonly NewRecord[],
) => Promise<readonly NewRecord[]>

export interface AppendParts {
  readonly producing: Pick<KafkaConnection, 'produce'>
  readonly logger: Logger
  /** What one batch may hold before it is sent in parts. */
  readonly maxBytes: number
  /** The partitions of such a topic, created where it is missing. */
  ensure(serverTopic: string, kind: OwnTopic): Promise<number>
  forget(serverTopic: string): void
  /** One send at a time. */
  inTurn<Result>(work: () => Promise<Result>): Promise<Result>
}

/** Of everything beside the value: at most, for what this transport writes. */
const besideValueBytes = 32_000

export function createAppend({ producing, logger, maxBytes, ensure, forget, inTurn }: AppendParts): Append {
  const send = async (part: PartitionBatch): Promise<ProduceFailure | undefined> => {
    const [failure] = await inTurn(() => producing.produce([part]))
    return failure
  }
  const sendAll = async (parts: readonly PartitionBatch[], kind: OwnTopic): Promise<readonly NewRecord[]> => {
    const refused: NewRecord[] = []
    for (const part of parts) {
      // Where it came from it was packed by its publisher; as it is the broker might not even read it.
      const isPacked = isOversized(part, maxBytes)
      let failure = await send({ ...part, isPacked })
      if (!isPacked && failure?.isTooLarge === true) failure = await send({ ...part, isPacked: true })
      if (failure === undefined) continue
      // It may have been removed: the next attempt looks.
      forget(part.topic)
      if (failure.outcome !== 'refused' || (kind === 'letters' && !failure.isTooLarge))
        throw unavailable(`Writing to ${part.topic}`, failure.error)
      if (failure.isTooLarge && part.records.length > 1) {
        // One that is too large is no fault of its neighbours.
        const singles = part.records.map((record) => ({ ...part, records: [record] }))
        refused.push(...(await sendAll(singles, kind)))
        continue
      }
      refused.push(...part.records)
      logger.warn({ topic: part.topic, err: failure.error }, 'the broker refuses what is to be kept here')
    }
    return refused
  }
  return async (serverTopic, kind, records) => {
    const partitions = await ensure(serverTopic, kind)
    const batches = new Map<number, NewRecord[]>()
    for (const record of records) {
      const place = kind === 'letters' ? 0 : partitionOf(ownHeader(record.headers, own.position) ?? '', partitions)
      const batch = batches.get(place) ?? []
      batches.set(place, batch)
      batch.push(record)
    }
    const parts = [...batches].flatMap(([partition, all]) =>
      bounded(all, maxBytes).map((some): PartitionBatch => ({ topic: serverTopic, partition, records: some })),
    )
    return sendAll(parts, kind)
  }
}

function sizeOf({ value }: NewRecord): number {
  return (value?.byteLength ?? 0) + besideValueBytes
}

function isOversized({ records }: PartitionBatch, maxBytes: number): boolean {
  return records.length === 1 && sizeOf(records[0]!) > maxBytes
}

function bounded(all: readonly NewRecord[], maxBytes: number): NewRecord[][] {
  const parts: NewRecord[][] = []
  let records: NewRecord[] = []
  let bytes = 0
  for (const record of all) {
    const size = sizeOf(record)
    if (records.length > 0 && bytes + size > maxBytes) {
      parts.push(records)
      records = []
      bytes = 0
    }
    records.push(record)
    bytes += size
  }
  parts.push(records)
  return parts
}
