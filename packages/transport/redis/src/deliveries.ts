import type { Rostered, TransportDelivery } from '@evt/core'
import { readEntry } from './entries.ts'

/** What a settlement needs to name its entry: the session is the fencing token. */
export interface Receipt extends Rostered {
  readonly session: string
  /** 0 for the group's retry stream, else the place of the stream in the topic. */
  readonly label: number
  readonly id: string
  /** Which hand-over of the entry this is, as the server counts them. */
  readonly count: number
}
export function receiptOf(delivery: TransportDelivery): Receipt {
  return delivery.receipt as Receipt
}

/** An entry as the read script hands it over. */
export type HandedEntry = readonly [
  label: number,
  id: Buffer,
  fields: readonly Buffer[],
  attempt: number,
  deliveries: number,
  suspect: number,
]

export interface DeliveryContext {
  readonly session: string
  readonly partitioned: boolean
  readonly leaseMs: number
}

/** An entry of a topic without partitions that nobody has seen before. */
export function toNewDelivery(id: string, fields: readonly Buffer[], context: DeliveryContext): TransportDelivery {
  const { session, leaseMs } = context
  const { headers, payload, key } = readEntry(fields)
  const receipt: Receipt = { session, label: 1, id, count: 1, place: -1, number: 0 }
  return {
    headers,
    payload,
    key,
    partition: 0,
    position: id,
    attempt: 1,
    deliveries: 1,
    suspect: false,
    leaseMs,
    receipt,
  }
}

export function toDelivery(entry: HandedEntry, context: DeliveryContext): TransportDelivery {
  const [label, idBytes, fields, noted, count, suspect] = entry
  const { session, partitioned, leaseMs } = context
  const id = idBytes.toString('latin1')
  const { headers, payload, key, rest } = readEntry(fields)
  let partition = label - 1
  let position = partitioned ? `${id}/${partition}` : id
  let attempt = noted
  let deliveries = count
  if (label === 0) {
    // A retried message keeps the place it was published at.
    position = rest?.get('position') ?? id
    partition = partitioned ? wholeOr(position.split('/')[1], 0) : 0
    deliveries += wholeOr(rest?.get('deliveries'), 0)
    if (attempt === 0) attempt = wholeOr(rest?.get('attempt'), 1)
  }
  if (attempt === 0) attempt = 1
  const receipt: Receipt = { session, label, id, count, place: -1, number: 0 }
  return { headers, payload, key, partition, position, attempt, deliveries, suspect: suspect === 1, leaseMs, receipt }
}

function wholeOr(text: string | undefined, otherwise: number): number {
  const value = Number(text)
  return Number.isSafeInteger(value) && value >= 0 ? value : otherwise
}
