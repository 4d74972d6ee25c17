import type { Entry } from '../consumer/entry.ts'
import type { PumpWork } from '../consumer/pump-parts.ts'
import { crashPoint } from '../crash-point.ts'
import type { DeadLetterEntry } from '../dead-letters.ts'
import type { AnyEvent } from '../event.ts'
import type { TransportDelivery, TransportSupport } from '../transport.ts'
import type { BusContext } from './context.ts'
import { derivedId, encodePayload } from './encoder.ts'

const nothing = new Uint8Array(0)

/** Where a consumer reads. */
interface DeadLetterPlace {
  /** The bus's name for it. */
  readonly transport: string
  readonly topic: string
  readonly consumer: string
}

/** Keeps rejected messages in the bus's store, else leaves them to the transport, else drops them as the option says. */
export function createDeadLetterer(
  bus: BusContext,
  event: AnyEvent,
  from: DeadLetterPlace,
  support: TransportSupport,
  onDeadLetter: ((entry: DeadLetterEntry) => void | Promise<void>) | undefined,
): PumpWork['deadLetter'] {
  const { consumer } = from
  return async (entry, error) => {
    const letter = letterOf(bus, event, from, entry)
    const fields = { consumer, id: letter.messageId, event: event.name, attempts: letter.attempts, err: error }
    const place = bus.deadLetters !== undefined ? 'kept' : support.deadLetters !== 'none' ? 'transport' : 'dropped'
    if (place === 'kept') {
      await bus.deadLetters!.append([letter])
      crashPoint('deadLetter.appended')
    }
    bus.logger.warn(
      fields,
      place === 'dropped' ? 'message dropped: nobody keeps its dead letters' : 'message dead-lettered',
    )
    try {
      await onDeadLetter?.(letter)
    } catch (thrown) {
      bus.report(thrown, `${consumer}: onDeadLetter`)
    }
    return place
  }
}

function letterOf(bus: BusContext, event: AnyEvent, from: DeadLetterPlace, entry: Entry): DeadLetterEntry {
  const { transport, topic, consumer } = from
  const { received } = entry
  const history = entry.history ?? []
  const messageId = textOf(received, 'ce-id')
  const payload = received.value === undefined ? received.payload : bytesOf(event, received.value)
  // Positions are counted anew where a stream is made anew; what has no id is told by its bytes.
  const own = messageId || Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('latin1')
  return {
    // With the transport: two of them may name different messages by one position.
    id: derivedId(transport, consumer, topic, received.position, own),
    messageId,
    event: event.name,
    topic,
    consumer,
    position: received.position,
    source: textOf(received, 'ce-source'),
    key: received.key,
    contentType: textOf(received, 'content-type'),
    headers: received.headers,
    payload,
    reason: history.at(-1)?.message ?? 'rejected',
    attempts: entry.attempt,
    history,
    deadLetteredAt: new Date(bus.clock.nowMs()),
  }
}

/** By reference also goes what no codec can write. There is nothing to keep of it but its headers. */
function bytesOf(event: AnyEvent, value: unknown): Uint8Array {
  try {
    return encodePayload(event, value)
  } catch {
    return nothing
  }
}

/** Where headers travel as JSON, whoever wrote them may have put anything there. */
function textOf({ headers }: TransportDelivery, name: string): string | undefined {
  const value: unknown = headers[name]
  return typeof value === 'string' ? value : undefined
}
