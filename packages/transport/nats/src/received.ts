import type { Headers, TransportDelivery } from '@evt/core'
import type { Attempt } from './attempts.ts'
import { takeKey } from './encode-message.ts'
import { decodeHeaders } from './headers.ts'

/** What the subject of an acknowledgement says about its message. */
export interface AcknowledgeTo {
  readonly subject: string
  readonly consumer: string
  readonly deliveries: number
  readonly sequence: number
  /** When the stream took it, in nanoseconds, as text. */
  readonly storedAt: string
}

const prefix = '$JS.ACK.'

/**
 * Reads `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<sequence>.<sequence of the consumer>.<time>.…`;
 * undefined for anything else.
 */
export function readAcknowledgeTo(
  subject: string | undefined,
  isOurs: (consumer: string) => boolean,
): AcknowledgeTo | undefined {
  if (subject === undefined || !subject.startsWith(prefix)) return undefined
  const at = subject.indexOf('.', prefix.length)
  return readFrom(subject, at, isOurs) ?? readFrom(subject, skip(subject, at, 2), isOurs)
}
/** From the dot before the consumer. */
function readFrom(subject: string, at: number, isOurs: (consumer: string) => boolean): AcknowledgeTo | undefined {
  const afterConsumer = subject.indexOf('.', at + 1)
  const consumer = subject.slice(at + 1, afterConsumer)
  if (afterConsumer < 0 || !isOurs(consumer)) return undefined
  const afterDeliveries = subject.indexOf('.', afterConsumer + 1)
  const afterSequence = subject.indexOf('.', afterDeliveries + 1)
  const beforeTime = subject.indexOf('.', afterSequence + 1)
  const afterTime = subject.indexOf('.', beforeTime + 1)
  if (afterDeliveries < 0 || afterSequence < 0 || beforeTime < 0 || afterTime < 0) return undefined
  const deliveries = Number(subject.slice(afterConsumer + 1, afterDeliveries))
  const sequence = Number(subject.slice(afterDeliveries + 1, afterSequence))
  const storedAt = subject.slice(beforeTime + 1, afterTime)
  if (!Number.isSafeInteger(deliveries) || !Number.isSafeInteger(sequence) || !isDigits.test(storedAt)) return undefined
  return { subject, consumer, deliveries, sequence, storedAt }
}
function skip(subject: string, at: number, tokens: number): number {
  let dot = at
  for (let left = tokens; left > 0; left -= 1) dot = subject.indexOf('.', dot + 1)
  return dot
}
const isDigits = /^\d+$/

export interface ReceivedParts {
  /** Its headers as they came. */
  readonly block: string
  readonly payload: Uint8Array
  readonly partition: number
  readonly generation: number
  readonly epoch: number
  readonly leaseMs: number
  readonly leaseEndMs: number
}

/**
 * A message as it was handed to us, and its own receipt. What a table or a text has to be made for is made at the first
 * look: messages wait, and all that they are made of by then is copied by the garbage collector.
 */
export class Received implements TransportDelivery {
  readonly payload: Uint8Array
  readonly partition: number
  readonly leaseMs: number
  attempt = 1
  suspect: boolean
  readonly acknowledgeTo: AcknowledgeTo
  /** Of streams made again: acknowledging over such a change would remove another message. */
  readonly generation: number
  /** Of the connection: what came before it was lost, the server may have forgotten. */
  readonly epoch: number
  /** Our own clock's end of the lease: JetStream accepts late acknowledgements, so we must refuse them ourselves. */
  leaseEndMs: number
  /** Its settlement is on its way, or has arrived. */
  settled = false
  /** It has been handed over again: what is said about this hand-over would be taken for that one. */
  superseded = false
  #block: string
  #headers: Headers | undefined
  #key: string | undefined

  constructor(acknowledgeTo: AcknowledgeTo, parts: ReceivedParts) {
    this.payload = parts.payload
    this.partition = parts.partition
    this.leaseMs = parts.leaseMs
    this.suspect = acknowledgeTo.deliveries > 1
    this.acknowledgeTo = acknowledgeTo
    this.generation = parts.generation
    this.epoch = parts.epoch
    this.leaseEndMs = parts.leaseEndMs
    this.#block = parts.block
  }
  get headers(): Headers {
    return this.#headers ?? this.#read()
  }
  get key(): string | undefined {
    if (this.#headers === undefined) this.#read()
    return this.#key
  }
  #read(): Headers {
    const headers = decodeHeaders(this.#block)
    this.#block = ''
    this.#key = takeKey(headers)
    this.#headers = headers
    return headers
  }
  get deliveries(): number {
    return this.acknowledgeTo.deliveries
  }
  get sequence(): number {
    return this.acknowledgeTo.sequence
  }
  get position(): string {
    return String(this.acknowledgeTo.sequence)
  }
  get receipt(): unknown {
    return this
  }
  /** Sequence and time: a stream that is made again begins at one, and what was kept about another message is not about this. */
  get place(): string {
    return `${this.position}-${this.acknowledgeTo.storedAt}`
  }
  /** One that was handed over before is a suspect unless its last holder gave it back in so many words. */
  remember(attempt: Attempt | undefined): void {
    if (attempt === undefined) return
    this.attempt = attempt.attempt
    if (attempt.deliveries === this.deliveries - 1 && !attempt.started) this.suspect = false
  }
}
