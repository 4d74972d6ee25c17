import { type Headers, type TransportDelivery, withoutPrototype } from '@evt/core'
import { decodeText } from '@evt/pg'

/** A lease as a claim returns it; where there is nothing to hand over, `messages` is null and `wait_ms` says when there may be. */
export interface ClaimedRow {
  readonly lease: string
  readonly partition: number
  readonly attempt: number
  readonly deliveries: number
  readonly suspect: boolean
  /** Ids and sizes, joined by commas. */
  readonly messages: string | null
  readonly sizes: string
  /** JSON arrays; null keys: no message has one. */
  readonly keys: string | null
  readonly headers: string
  /** All payloads, one behind the other. */
  readonly payload: Uint8Array
  /** Parcels that the claim took from. */
  readonly touched: number
  /** Messages that a parcel named and that do not exist. */
  readonly missing: number | null
  readonly wait_ms: number | null
}

/** Headers as somebody wrote them, who need not have been us: what is no JSON has none, and is dead-lettered for that. */
export function parseHeaders(text: string): Headers {
  try {
    return withoutPrototype(JSON.parse(text))
  } catch {
    return withoutPrototype(undefined)
  }
}

/** The headers of all messages of a lease; undefined where one of them is no JSON. */
function listedHeaders(row: ClaimedRow): readonly Headers[] | undefined {
  try {
    return JSON.parse(row.headers) as Headers[]
  } catch {
    return undefined
  }
}

/** The messages of a lease; undefined where it cannot be told which headers are whose, so that they have to be given one by one. */
export function toDeliveries(
  row: ClaimedRow,
  leaseMs: number,
  headers: readonly Headers[] | undefined = listedHeaders(row),
): readonly TransportDelivery[] | undefined {
  const { lease, partition, attempt, deliveries, suspect, payload } = row
  const messages = row.messages!.split(',')
  if (headers?.length !== messages.length) return undefined
  const sizes = row.sizes.split(',')
  const keys = row.keys === null ? undefined : (JSON.parse(row.keys) as (string | null)[])
  let offset = 0
  return messages.map((message, index) => {
    const start = offset
    offset += Number(sizes[index])
    const key = keys?.[index]
    return {
      // Whatever a row holds, names of headers never reach a prototype.
      headers: withoutPrototype(headers[index]!),
      payload: payload.subarray(start, offset),
      key: typeof key === 'string' ? decodeText(key) : undefined,
      partition,
      position: message,
      attempt,
      deliveries,
      suspect,
      leaseMs,
      receipt: { lease, message },
    }
  })
}
