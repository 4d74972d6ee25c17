import {
  type Clock,
  type Consumer,
  type ConsumerEvents,
  type ConsumeSpec,
  pushSource,
  type Room,
  type TransportDelivery,
  uuidv7,
} from '@evt/core'
import { headerTexts, type NatsMessage } from './client.ts'
import { takeKey } from './encode-message.ts'
import { decodeHeaders } from './headers.ts'
import type { Link } from './link.ts'
import { listen } from './listening.ts'
import { token } from './names.ts'

const reportEveryMs = 1_000

export interface NatsConsumerParts {
  readonly link: Link
  readonly subject: string
  readonly spec: ConsumeSpec
  readonly events: ConsumerEvents
  readonly maxMessages: number
  readonly maxBytes: number
  readonly clock: Clock
}

/** A live subscription behind a bounded queue. What does not fit, and what is given back, is lost, counted and reported. */
export async function natsConsumer(parts: NatsConsumerParts): Promise<Consumer> {
  const { link, subject, spec, events, maxMessages, maxBytes, clock } = parts
  let received = 0
  let waiting = 0
  let waitingBytes = 0
  // Dead letters are told apart by position, so no two readers may count alike.
  const session = uuidv7(clock.nowMs())
  const lost = new Map<string, number>()
  let reporting: { cancel(): void } | undefined
  const source = pushSource<NatsMessage>({
    bytesOf: ({ data }) => data.byteLength,
    // Core NATS cannot be told to pause: what does not fit is not taken in.
    limit: { messages: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY },
    pause() {},
    resume() {},
  })
  const take = (message: NatsMessage) => {
    const { byteLength } = message.data
    // One message is taken however large it is.
    const isFull = waiting > 0 && (waiting >= maxMessages || waitingBytes + byteLength > maxBytes)
    if (isFull) return lose(1, `more than ${maxMessages} messages or ${maxBytes} bytes were waiting`)
    waiting += 1
    waitingBytes += byteLength
    source.push(message)
  }
  const report = () => {
    reporting?.cancel()
    reporting = undefined
    for (const [reason, count] of lost) events.cut(count, reason)
    lost.clear()
  }
  const lose = (count: number, reason: string) => {
    lost.set(reason, (lost.get(reason) ?? 0) + count)
    reporting ??= clock.startTimer(report, reportEveryMs)
  }
  let interrupt = () => {}
  const subscription = listen({
    client: link.client,
    subject,
    queue: 'group' in spec.as ? token('group', spec.as.group) : undefined,
    confirm: link.confirm,
    take,
    onDenied: () => interrupt(),
  })
  try {
    // Until the server has it, what others publish would miss it.
    await subscription.confirmed()
  } catch (error) {
    subscription.unsubscribe()
    throw error
  }

  const headersOf = headerTexts()
  const toDelivery = (message: NatsMessage): TransportDelivery => {
    const payload = message.data
    const headers = decodeHeaders(headersOf(message, subject, payload))
    received += 1
    waiting -= 1
    waitingBytes -= payload.byteLength
    return {
      key: takeKey(headers),
      headers,
      payload,
      partition: 0,
      position: `${session}.${received}`,
      attempt: 1,
      deliveries: 1,
      suspect: false,
      leaseMs: spec.leaseMs,
      receipt: undefined,
    }
  }
  /** A read that a denial ends. */
  const arrival = async (room: Room, signal: AbortSignal) => {
    const ending = new AbortController()
    interrupt = () => ending.abort()
    signal.addEventListener('abort', interrupt)
    if (signal.aborted) interrupt()
    try {
      return await source.read(room, ending.signal)
    } finally {
      signal.removeEventListener('abort', interrupt)
      interrupt = () => {}
    }
  }
  return {
    async read(room, signal) {
      if (source.size === 0 && subscription.denied !== undefined) await subscription.confirmed()
      const messages = source.size > 0 ? await source.read(room, signal) : await arrival(room, signal)
      if (messages.length === 0 && subscription.denied !== undefined) throw subscription.denied
      // Silence may be a connection that is open at this end only.
      if (messages.length === 0) void link.confirm(`Reading ${subject}`).catch(() => undefined)
      return messages.map(toDelivery)
    },
    async settle(batch) {
      const returned = batch.filter(({ as }) => as === 'release' || as === 'retry').length
      if (returned > 0) lose(returned, 'the subscription gave them back, and NATS core keeps nothing')
      return []
    },
    extend: async () => [],
    async close() {
      await link.drain(subscription)
      const unread = source.close().length
      if (unread > 0) lose(unread, 'the subscription closed before they were read')
      report()
    },
  }
}
