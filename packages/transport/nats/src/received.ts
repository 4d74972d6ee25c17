import type { TransportDelivery } from '@evt/core'
import type { Attempt } from './attempts.ts'
import type { NatsMessage } from './client.ts'
import { takeKey } from './encode-message.ts'
import { decodeHeaders } from './headers.ts'

/** What the subject of an acknowledgement says about its message. */
export interface Received {
  readonly message: NatsMessage
  readonly acknowledgeTo: string
  readonly partition: number
  readonly sequence: number
  /** Sequence and time: a stream that is made again begins at one, and what was kept about another message is not about this. */
  readonly place: string
  /** Of streams made again: acknowledging over such a change would remove another message. */
  readonly generation: number
  readonly deliveries: number
  /** Our own clock's end of the lease: JetStream accepts late acknowledgements, so we must refuse them ourselves. */
  leaseEndMs: number
}

/** Reads `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<sequence>…`; undefined for anything else. */
export function readAcknowledgement(
  reply: string | undefined,
):
  | { readonly consumer: string; readonly deliveries: number; readonly sequence: number; readonly place: string }
  | undefined {
  const tokens = reply?.split('.') ?? []
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined
  const at = tokens.length > 9 ? 5 : 3
  const consumer = tokens[at]
  const deliveries = Number(tokens[at + 1])
  const sequence = Number(tokens[at + 2])
  const storedAt = tokens[at + 4] ?? ''
  if (consumer === undefined || !/^\d+$/.test(storedAt)) return undefined
  if (!Number.isSafeInteger(deliveries) || !Number.isSafeInteger(sequence)) return undefined
  return { consumer, deliveries, sequence, place: `${sequence}-${storedAt}` }
}

/** One that was handed over before is a suspect unless its last holder gave it back in so many words. */
export function toDelivery(received: Received, leaseMs: number, attempt: Attempt | undefined): TransportDelivery {
  const { message, deliveries } = received
  const headers = decodeHeaders(message.headers)
  const givenBack = attempt !== undefined && attempt.deliveries === deliveries - 1 && !attempt.started
  return {
    key: takeKey(headers),
    headers,
    payload: message.data,
    partition: received.partition,
    position: String(received.sequence),
    attempt: attempt?.attempt ?? 1,
    deliveries,
    suspect: deliveries > 1 && !givenBack,
    leaseMs,
    receipt: received,
  }
}
