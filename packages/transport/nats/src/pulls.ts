import type { Clock, Room } from '@evt/core'
import type { NatsMessage } from './client.ts'
import { nanosPerMs } from './js-api.ts'
import type { Link } from './link.ts'

// A message that fits no pull's bytes ends that pull; one without a limit brings it.
const tooLarge = /MaxBytes/i
const finished = /batch completed/i
const gone = /deleted|leadership|shutdown/i
const maxGraceMs = 1_000

/** Pull requests of one consumer: how many messages are asked for and have neither come nor been called off. */
export interface Pulls {
  readonly asked: number
  /** Where they are sent. */
  readonly subject: string
  /** The earliest moment at which the server can have handed over a message that arrives now. */
  readonly sinceMs: number
  /** When a pull that is answered by nothing at all must be given up. */
  readonly dueMs: number
  ask(room: Room): void
  arrived(): void
  /** A status of the server for one of the pulls. Answers what it means beyond the pull's end. */
  status(id: string, message: NatsMessage): 'inDoubt' | { readonly refused: string } | undefined
  /** Forgets pulls that must have ended by now. Answers whether one ended in silence. */
  expire(): boolean
  forget(): void
}

export interface PullsOptions {
  readonly link: Link
  readonly clock: Clock
  readonly stream: string
  readonly consumer: string
  readonly inbox: string
  readonly expiresMs: number
}

export function createPulls({ link, clock, stream, consumer, inbox, expiresMs }: PullsOptions): Pulls {
  const pulls = new Map<string, { readonly sentMs: number }>()
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`
  const graceMs = Math.min(maxGraceMs, expiresMs)
  let asked = 0
  let count = 0
  let unlimited = false
  const take = (messages: number) => {
    asked = Math.max(0, asked - messages)
    if (asked === 0) pulls.clear()
  }
  const oldest = () => pulls.values().next().value?.sentMs
  return {
    subject,
    get asked() {
      return asked
    },
    get sinceMs() {
      return oldest() ?? clock.monotonicMs() - expiresMs
    },
    get dueMs() {
      return (oldest() ?? clock.monotonicMs()) + expiresMs + graceMs
    },
    ask({ messages, bytes }) {
      count += 1
      const id = `${consumer}-${count}`
      const batch = unlimited ? 1 : messages
      const body = { batch, expires: expiresMs * nanosPerMs, ...(unlimited ? {} : { max_bytes: bytes }) }
      unlimited = false
      pulls.set(id, { sentMs: clock.monotonicMs() })
      asked += batch
      link.client.publish(subject, Buffer.from(JSON.stringify(body)), { reply: `${inbox}.${id}` })
    },
    arrived: () => take(1),
    status(id, { headers }) {
      if (headers === undefined || headers.code === 100 || !pulls.delete(id)) return undefined
      const left = headers.get('Nats-Pending-Messages')
      take(left === '' ? asked : Number(left) || 0)
      if (headers.code === 408 || finished.test(headers.description)) return undefined
      if (headers.code === 503 || headers.code === 404 || gone.test(headers.description)) return 'inDoubt'
      unlimited = tooLarge.test(headers.description)
      return unlimited ? undefined : { refused: `${headers.code} ${headers.description}` }
    },
    expire() {
      const nowMs = clock.monotonicMs()
      let ended = false
      for (const [id, { sentMs }] of pulls) {
        if (sentMs + expiresMs + graceMs > nowMs) break
        pulls.delete(id)
        ended = true
      }
      const silent = ended && pulls.size === 0 && asked > 0
      if (silent) asked = 0
      return silent
    },
    forget() {
      pulls.clear()
      asked = 0
    },
  }
}
