import { headerWriter } from './headers.ts'
import type { Ask } from './js-api.ts'
import type { Encoded } from './publish.ts'
import type { Side } from './streams.ts'

/** What is known of a message that was given back: its next attempt, and after which hand-over that was decided. */
export interface Attempt {
  readonly attempt: number
  readonly deliveries: number
  /** It was written before a run, to count should that run end its process. */
  readonly started: boolean
}
export interface Attempts {
  /** Durable when resolved. */
  write(records: readonly { readonly place: string; readonly record: Attempt }[]): Promise<void>
  read(place: string): Promise<Attempt | undefined>
}

const noHeaders = headerWriter()({}, {})

/** Attempts of one consumer, one message each, for JetStream itself counts hand-overs only. */
export function createAttempts(
  ask: Ask,
  side: Side,
  consumer: string,
  publish: (messages: readonly Encoded[]) => Promise<void>,
): Attempts {
  const subjectOf = (place: string) => `${side.subject}.${consumer}.${place}`
  return {
    async write(records) {
      if (records.length === 0) return
      await side.ensure()
      await publish(
        records.map(({ place, record }, index) => ({
          index,
          subject: subjectOf(place),
          payload: Buffer.from(JSON.stringify(record)),
          headers: noHeaders,
        })),
      )
    },
    async read(place) {
      const body = { last_by_subj: subjectOf(place) }
      const found = await ask<{ message: { data?: string } }>('Reading attempts', `STREAM.MSG.GET.${side.stream}`, body)
      const text = found?.message.data
      return text === undefined ? undefined : parseAttempt(Buffer.from(text, 'base64').toString('utf8'))
    },
  }
}

/** Nothing for what somebody else has written there. */
function parseAttempt(text: string): Attempt | undefined {
  let parsed: Partial<Attempt> | null
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  const { attempt, deliveries = 0, started = false } = parsed ?? {}
  return Number.isSafeInteger(attempt) && attempt! >= 1 ? { attempt: attempt!, deliveries, started } : undefined
}
