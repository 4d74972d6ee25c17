import type { Headers, TransportDelivery } from '@evt/core'
import { decodeText } from '@evt/pg'

/** A row of a claim; where there is nothing to hand over, `message` is null and `wait_ms` says when there may be. */
export interface ClaimedRow {
  readonly lease: string
  readonly message: string | null
  readonly partition: number
  readonly attempt: number
  readonly deliveries: number
  readonly suspect: boolean
  readonly key: string | null
  readonly headers: string
  readonly payload: Uint8Array
  /** Parcels that the claim took from. */
  readonly touched: number
  /** Messages that a parcel named and that do not exist. */
  readonly missing: number | null
  readonly wait_ms: number | null
}

export function toDelivery(row: ClaimedRow, leaseMs: number): TransportDelivery {
  const { lease, partition, attempt, deliveries, suspect, payload } = row
  const message = row.message!
  return {
    headers: readHeaders(row.headers),
    payload,
    key: row.key === null ? undefined : decodeText(row.key),
    partition,
    position: message,
    attempt,
    deliveries,
    suspect,
    leaseMs,
    receipt: { lease, message },
  }
}

/** Rows are data from outside: whatever a row holds, names of headers never reach a prototype. */
export function readHeaders(text: string): Headers {
  return Object.assign(Object.create(null), JSON.parse(text)) as Headers
}
