import type { DeadLetterPage, ErrorRecord, Headers, Settlement, TransportDeadLetter } from '@evt/core'
import { headerTable, isEvtError, readErrorHistory } from '@evt/core'
import { messageEncoder, takeHeader, takeKey } from './encode-message.ts'
import { unavailable } from './errors.ts'
import { decodeHeaders, sendable } from './headers.ts'
import type { Ask } from './js-api.ts'
import { readToken } from './names.ts'
import type { Encoded } from './publish.ts'
import type { Side } from './streams.ts'

export type DeadLetter = Settlement & { readonly as: 'deadLetter' }
interface Stored {
  readonly message: {
    readonly seq: number
    readonly subject: string
    readonly hdrs?: string
    readonly data?: string
  }
}

const maxText = 2_000
const maxHistory = 20
/** JetStream refuses messages whose headers are larger. */
const maxHeaderBytes = 65_535
const none: Headers = headerTable()
const nothing = new Uint8Array(0)
const notFound = [10037, 10057]

export interface LetterPlace {
  readonly index: number
  readonly consumer: string
  /** It names consumer and position, and a second letter under it is refused by the stream. */
  readonly subject: string
  /** The stream that the message itself is in. */
  readonly stream: string
  /** That the server takes at once. */
  readonly maxBytes: number
}

/** One letter as a message: all of it, or as much as the server takes, the message itself before what is told about it. */
export function encodeLetter(letter: DeadLetter, place: LetterPlace): Encoded {
  const { headers, payload, position } = letter.delivery
  const sent = sendable(headers)
  const { index, consumer, subject, stream, maxBytes } = place
  const encode = messageEncoder()
  const attempt = (told: Record<string, string>, about: Headers, body: Uint8Array): Encoded | undefined => {
    const outgoing = {
      id: position,
      topic: '',
      key: about === none ? undefined : letter.delivery.key,
      headers: about,
      payload: body,
    }
    try {
      const encoded = encode(outgoing, told, maxBytes)
      return encoded.byteLength > maxHeaderBytes ? undefined : { index, subject, payload: body, headers: encoded }
    } catch (error) {
      if (!isEvtError(error, 'EVT_PAYLOAD_TOO_LARGE')) throw error
      return undefined
    }
  }
  const tell = (reason: string, history: readonly ErrorRecord[]) => ({
    'Nats-Expected-Last-Subject-Sequence': '0',
    'evt-consumer': consumer,
    'evt-position': position,
    'evt-reason': reason,
    'evt-history': JSON.stringify(history.map((record) => ({ ...record, message: shorten(record.message) }))),
  })
  for (let first = Math.max(0, letter.history.length - maxHistory); first <= letter.history.length; first += 1) {
    const whole = attempt(tell(shorten(letter.reason), letter.history.slice(first)), sent, payload)
    if (whole !== undefined) return whole
  }
  const left = (what: string) => {
    const text = `its ${what} too large for a letter and were left at sequence ${position} of ${stream}`
    return tell(`${letter.reason.slice(0, maxText / 2).toWellFormed()} (${text})`, [])
  }
  const kept =
    attempt({}, sent, payload) ??
    attempt(left('headers are'), none, payload) ??
    attempt(left(`${payload.byteLength} bytes and headers are`), none, nothing)
  if (kept === undefined) throw unavailable('Dead-lettering', `the server takes no more than ${maxBytes} bytes`)
  return kept
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
  const told = readSubject(message.subject)
  return {
    id: String(message.seq),
    consumer: take('evt-consumer') || told.consumer,
    position: take('evt-position') || told.position,
    reason: take('evt-reason'),
    history: readErrorHistory(history),
    key: takeKey(headers),
    headers: headers as Headers,
    payload: Buffer.from(message.data ?? '', 'base64'),
  }
}
/** What a subject says of its letter, which may have had no room to say it itself. */
function readSubject(subject: string): { readonly consumer: string; readonly position: string } {
  const [consumer = '', place = ''] = subject.split('.').slice(-2)
  return { consumer: readToken(consumer), position: place.slice(0, place.lastIndexOf('-')) }
}
function shorten(text: string): string {
  return text.slice(0, maxText).toWellFormed()
}
