import type { DeadLetterPage, ErrorRecord, Headers, Settlement, TransportDeadLetter } from '@evt/core'
import { isEvtError } from '@evt/core'
import { messageEncoder, takeHeader, takeKey } from './encode-message.ts'
import { decodeHeaders, sendable } from './headers.ts'
import type { Ask } from './js-api.ts'
import type { Encoded } from './publish.ts'
import type { Side } from './streams.ts'

export type DeadLetter = Settlement & { readonly as: 'deadLetter' }
interface Stored {
  readonly message: { readonly seq: number; readonly hdrs?: string; readonly data?: string }
}

const maxText = 2_000
const notFound = [10037, 10057]

/** One letter as a message: its subject names consumer and position, and a second one under it is refused by the stream. */
export function encodeLetter(
  { delivery, reason, history }: DeadLetter,
  index: number,
  consumer: string,
  subject: string,
  maxBytes: number,
): Encoded {
  const { headers, payload, key, position } = delivery
  const encode = messageEncoder()
  const outgoing = { id: position, topic: '', key, headers: sendable(headers), payload }
  for (let kept = history.slice(-20); ; kept = kept.slice(1)) {
    const control = {
      'Nats-Expected-Last-Subject-Sequence': '0',
      'evt-consumer': consumer,
      'evt-position': position,
      'evt-reason': shorten(reason),
      'evt-history': JSON.stringify(kept.map((record) => ({ ...record, message: shorten(record.message) }))),
    }
    try {
      return { index, subject, payload, headers: encode(outgoing, control, maxBytes) }
    } catch (error) {
      // The message itself comes before what is told about it.
      if (kept.length === 0 || !isEvtError(error, 'EVT_PAYLOAD_TOO_LARGE')) throw error
    }
  }
}

export async function readLetters(ask: Ask, side: Side, page: DeadLetterPage): Promise<readonly TransportDeadLetter[]> {
  const letters: TransportDeadLetter[] = []
  let sequence = page.after === undefined ? 1 : Number(page.after) + 1
  while (letters.length < page.limit && Number.isSafeInteger(sequence)) {
    const body = { seq: sequence, next_by_subj: `${side.subject}.>` }
    const found = await ask<Stored>('Reading dead letters', `STREAM.MSG.GET.${side.stream}`, body)
    if (found === undefined) break
    letters.push(decodeLetter(found))
    sequence = found.message.seq + 1
  }
  return letters
}

export async function removeLetters(ask: Ask, side: Side, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const seq = Number(id)
    if (!Number.isSafeInteger(seq) || seq < 1) continue
    try {
      await ask('Removing dead letters', `STREAM.MSG.DELETE.${side.stream}`, { seq, no_erase: true })
    } catch (error) {
      if (!isEvtError(error, 'EVT_NATS_REFUSED') || !notFound.includes(error.details.code)) throw error
    }
  }
}

function decodeLetter({ message }: Stored): TransportDeadLetter {
  const headers = decodeHeaders(Buffer.from(message.hdrs ?? '', 'base64').toString('utf8'))
  const take = (name: string) => takeHeader(headers, name) ?? ''
  const history = take('evt-history')
  return {
    id: String(message.seq),
    consumer: take('evt-consumer'),
    position: take('evt-position'),
    reason: take('evt-reason'),
    history: parseHistory(history),
    key: takeKey(headers),
    headers: headers as Headers,
    payload: Buffer.from(message.data ?? '', 'base64'),
  }
}
function parseHistory(text: string): readonly ErrorRecord[] {
  try {
    const history: unknown = JSON.parse(text)
    return Array.isArray(history) ? history : []
  } catch {
    return []
  }
}
function shorten(text: string): string {
  return text.slice(0, maxText).toWellFormed()
}
