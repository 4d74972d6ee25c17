import type { Headers, TransportDelivery } from '@evt/core'
import type { KafkaHeaders, KafkaRecord } from './client.ts'
import { own, ownHeader, readKafkaHeaders } from './headers.ts'
import type { Item } from './progress.ts'

/** Partitions of a group's retry topic are told apart from those of the topic itself by this much. */
export const retryPartitionsFrom = 100_000

const nothing = new Uint8Array(0)

export interface Receipt {
  readonly item: Item
  readonly lease: number
}

/** One class for all. Headers and position are made at the first look: what is prefetched only waits. */
export class KafkaDelivery implements TransportDelivery {
  readonly payload: Uint8Array
  readonly key: string | undefined
  readonly partition: number
  readonly attempt: number
  readonly deliveries: number
  readonly suspect: boolean
  readonly leaseMs: number
  readonly receipt: Receipt
  readonly #record: KafkaRecord
  readonly #isRetry: boolean
  #headers: Headers | undefined

  constructor(item: Item, leaseMs: number, isRetry: boolean) {
    const { record, progress } = item
    this.payload = record.value ?? nothing
    this.key = record.key ?? undefined
    this.partition = isRetry ? progress.partition + retryPartitionsFrom : progress.partition
    this.attempt = item.attempt
    this.deliveries = item.deliveries
    this.suspect = item.suspect
    this.leaseMs = leaseMs
    this.receipt = { item, lease: item.lease }
    this.#record = record
    this.#isRetry = isRetry
  }
  get headers(): Headers {
    this.#headers ??= readKafkaHeaders(this.#record.headers)
    return this.#headers
  }
  /** Where the message stands in its topic, also after it has been moved to a retry topic: partition, offset, time. */
  get position(): string {
    const { offset, timestampMs, headers } = this.#record
    const told = this.#isRetry ? ownHeader(headers, own.position) : undefined
    return told ?? `${this.receipt.item.progress.partition}:${offset}:${timestampMs}`
  }
}

export function readPosition(position: string): { partition: number; offset: number; timestampMs: number } | undefined {
  const match = /^(\d{1,9}):(\d{1,15}):(\d{1,15})$/.exec(position)
  if (match === null) return undefined
  const [, partition, offset, timestampMs] = match.map(Number) as [number, number, number, number]
  return { partition, offset, timestampMs }
}

/** A number from a header of the transport's own topics; anybody may have written there. */
export function headerNumber(headers: KafkaHeaders, name: 'evt-attempt' | 'evt-after'): number | undefined {
  const text = ownHeader(headers, name)
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
