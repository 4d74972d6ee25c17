import type { TransportDelivery } from '@evt/core'
import type { KafkaHeaders } from './client.ts'
import { own, ownHeader, readKafkaHeaders } from './headers.ts'
import type { Item } from './progress.ts'

/** Partitions of a group's retry topic are told apart from those of the topic itself by this much. */
export const retryPartitionsFrom = 100_000

export interface Receipt {
  readonly item: Item
  readonly lease: number
}

export function toDelivery(item: Item, leaseMs: number, isRetry: boolean): TransportDelivery {
  const { record, progress, attempt, deliveries, suspect, lease } = item
  const receipt: Receipt = { item, lease }
  return {
    headers: readKafkaHeaders(record.headers),
    payload: record.value ?? new Uint8Array(0),
    key: record.key ?? undefined,
    partition: isRetry ? progress.partition + retryPartitionsFrom : progress.partition,
    position: positionOf(item, isRetry),
    attempt,
    deliveries,
    suspect,
    leaseMs,
    receipt,
  }
}

/** Where a message stands in its topic, also after it has been moved to a retry topic: partition, offset, time. */
function positionOf({ record, progress }: Item, isRetry: boolean): string {
  const told = isRetry ? ownHeader(record.headers, own.position) : undefined
  return told ?? `${progress.partition}:${record.offset}:${record.timestampMs}`
}

export function readPosition(position: string): { partition: number; offset: number; timestampMs: number } | undefined {
  const match = /^(\d{1,9}):(\d{1,15}):(\d{1,15})$/.exec(position)
  if (match === null) return undefined
  const [, partition, offset, timestampMs] = match.map(Number) as [number, number, number, number]
  return { partition, offset, timestampMs }
}

/** A number from a header of the transport's own topics; anybody may have written there. */
export function headerNumber(headers: KafkaHeaders, name: 'evt-attempt' | 'evt-due'): number | undefined {
  const text = ownHeader(headers, name)
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
