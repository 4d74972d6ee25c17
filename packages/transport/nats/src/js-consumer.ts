import {
  type Clock,
  type Consumer,
  type ConsumerEvents,
  type ConsumeSpec,
  crashPoint,
  type Refusal,
  type Room,
  type Settlement,
  type TransportDelivery,
  uuidv7,
} from '@evt/core'
import { type Acknowledgement, acknowledge } from './acknowledge.ts'
import type { Attempts } from './attempts.ts'
import type { NatsMessage } from './client.ts'
import type { DeadLetter } from './dead-letters.ts'
import type { Durable } from './durables.ts'
import { missing, unavailable } from './errors.ts'
import { nanosPerMs } from './js-api.ts'
import type { Link } from './link.ts'
import { Progress } from './progress.ts'
import { createPulls } from './pulls.ts'
import { type Received, readAcknowledgement, toDelivery } from './received.ts'
import type { KnownTopic } from './streams.ts'

const maxPullMs = 5_000
const partitionBatch = 16
const acknowledged = Buffer.from('+ACK')
const working = Buffer.from('+WPI')
const givenBack = Buffer.from('-NAK')
const healPauseMs = 100

export interface JsConsumerParts {
  readonly link: Link
  readonly clock: Clock
  readonly inboxPrefix: string
  readonly spec: ConsumeSpec
  readonly events: ConsumerEvents
  readonly topic: KnownTopic
  readonly durables: readonly Durable[]
  readonly attempts: Attempts
  keepDeadLetters(letters: readonly DeadLetter[]): Promise<void>
  /**
   * Makes again what is missing, or rejects where that is not wanted. Answers whether the stream is another than before.
   */
  heal(progress: readonly Progress[] | undefined): Promise<boolean>
  /** Of an ephemeral reader, by partition: where it goes on should the server forget it. */
  readonly progress: readonly Progress[] | undefined
  onClose(): Promise<void>
}

/** Reads one topic: a pull as large as the room is the flow control, the lease is the acknowledgement wait. */
export async function jsConsumer(parts: JsConsumerParts): Promise<Consumer> {
  const { link, clock, inboxPrefix, spec, topic, durables, attempts, events } = parts
  const { leaseMs } = spec
  const lendMs = leaseMs - Math.min(1_000, leaseMs / 10)
  const inbox = `${inboxPrefix}.${uuidv7(clock.nowMs())}`
  const expiresMs = Math.min(maxPullMs, Math.floor(leaseMs / 3))
  const pullsOf = durables.map(({ name }) =>
    createPulls({ link, clock, stream: topic.stream, consumer: name, inbox, expiresMs }),
  )
  const partitionOfConsumer = new Map(durables.map(({ name }, partition) => [name, partition]))
  let { progress } = parts
  let generation = 0
  let refused: string | undefined
  let healedMs = Number.NEGATIVE_INFINITY
  let waiting: Received[] = []
  let inDoubt = false
  let closed = false
  let wake: () => void = () => {}

  const subscription = link.client.subscribe(`${inbox}.*`, {
    callback(error, message) {
      if (error === null) arrive(message)
      wake()
    },
  })
  function arrive(message: NatsMessage): void {
    if (message.subject.startsWith(`${inbox}.`)) {
      const id = message.subject.slice(inbox.length + 1)
      const partition = partitionOfConsumer.get(id.slice(0, id.lastIndexOf('-')))
      const told = partition === undefined ? undefined : pullsOf[partition]!.status(id, message)
      if (told === 'inDoubt') inDoubt = true
      else if (told !== undefined) refused = told.refused
      return
    }
    const told = readAcknowledgement(message.reply)
    const partition = told === undefined ? undefined : partitionOfConsumer.get(told.consumer)
    if (told === undefined || partition === undefined) return
    const pulls = pullsOf[partition]!
    const { deliveries, sequence, place } = told
    const leaseEndMs = pulls.sinceMs + lendMs
    pulls.arrived()
    if (progress !== undefined) progress[partition]!.arrived(sequence)
    const acknowledgeTo = message.reply!
    waiting.push({ message, acknowledgeTo, partition, sequence, place, generation, deliveries, leaseEndMs })
  }
  const forgetChange = link.onChange(() => {
    for (const pulls of pullsOf) pulls.forget()
    // The server may have lost what is not durable.
    inDoubt = true
    wake()
  })
  const arrival = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const dueMs = Math.min(...pullsOf.map((pulls) => pulls.dueMs))
      const timer = clock.startTimer(() => wake(), Math.max(1, dueMs - clock.monotonicMs()))
      wake = () => {
        timer.cancel()
        signal.removeEventListener('abort', wake)
        wake = () => {}
        resolve()
      }
      signal.addEventListener('abort', wake)
    })
  const ask = ({ messages, bytes }: Room) => {
    if (topic.partitions === undefined) {
      const wanted = messages - waiting.length - pullsOf[0]!.asked
      if (wanted > 0) pullsOf[0]!.ask({ messages: wanted, bytes })
      return
    }
    // A partition gives one message at a time, whatever it is asked for.
    for (const pulls of pullsOf) if (pulls.asked === 0) pulls.ask({ messages: partitionBatch, bytes })
  }
  const expire = () => {
    for (const pulls of pullsOf) if (pulls.expire()) inDoubt = true
    const nowMs = clock.monotonicMs()
    // Too late to begin with: the server hands them to somebody again.
    waiting = waiting.filter(({ leaseEndMs }) => leaseEndMs > nowMs)
  }
  const heal = async () => {
    // What was looked at just now and still does not answer is tried again by whoever reads, not at once.
    if (clock.monotonicMs() - healedMs < healPauseMs) throw unavailable('Reading', 'the consumer does not answer')
    inDoubt = false
    try {
      if (await parts.heal(progress)) beginAnew()
      healedMs = clock.monotonicMs()
    } catch (error) {
      inDoubt = true
      throw error
    }
  }
  const beginAnew = () => {
    generation += 1
    waiting = []
    progress = progress?.map(() => new Progress(0))
    events.lost('all', missing(`The stream ${topic.stream} that these messages were in`))
  }
  const take = ({ messages, bytes }: Room): Received[] => {
    let count = 0
    let size = 0
    for (const { message } of waiting) {
      size += message.data.byteLength
      if (count > 0 && (count >= messages || size > bytes)) break
      count += 1
    }
    return waiting.splice(0, count)
  }
  const deliver = async (taken: Received[]): Promise<TransportDelivery[]> => {
    if (taken.every(({ deliveries }) => deliveries === 1))
      return taken.map((received) => toDelivery(received, leaseMs, undefined))
    try {
      const known = await Promise.all(
        taken.map(({ deliveries, place }) => (deliveries === 1 ? undefined : attempts.read(place))),
      )
      return taken.map((received, index) => toDelivery(received, leaseMs, known[index]))
    } catch (error) {
      waiting.unshift(...taken)
      throw error
    }
  }
  const isLost = (delivery: TransportDelivery) => {
    const received = receiptOf(delivery)
    return received.generation !== generation || received.leaseEndMs <= clock.monotonicMs()
  }

  return {
    async read(room, signal) {
      while (!closed) {
        expire()
        if (link.connected) {
          if (inDoubt) await heal()
          if (refused !== undefined) {
            const why = refused
            refused = undefined
            throw unavailable('Reading', why)
          }
          ask(room)
        }
        const taken = take(room)
        if (taken.length > 0) {
          const deliveries = await deliver(taken)
          crashPoint('transport.claimed')
          return deliveries
        }
        if (signal.aborted) {
          if (!link.connected) throw unavailable('Reading', 'there is no connection to NATS')
          return []
        }
        await arrival(signal)
      }
      return []
    },
    async settle(batch) {
      const refusals: Refusal[] = []
      const owned = batch.filter(({ delivery }) => {
        if (!isLost(delivery)) return true
        refusals.push({ delivery, reason: 'the lease has ended by this process’s clock' })
        return false
      })
      const records = owned.flatMap(recordOf)
      if (records.length > 0) {
        await attempts.write(records)
        crashPoint('jetstream.attemptsWritten')
      }
      const letters = owned.filter((settlement) => settlement.as === 'deadLetter')
      if (letters.length > 0) {
        await parts.keepDeadLetters(letters)
        crashPoint('jetstream.deadLettersKept')
      }
      const all: Acknowledgement[] = []
      for (const settlement of owned) {
        const received = receiptOf(settlement.delivery)
        const body = bodyOf(settlement)
        if (body !== undefined) all.push({ received, body })
      }
      await acknowledge(link, all)
      crashPoint('transport.settled')
      for (const { received, body } of all) {
        if (progress !== undefined && body === acknowledged) progress[received.partition]!.settled(received.sequence)
      }
      return refusals
    },
    async extend(held) {
      const owned = held.filter((delivery) => !isLost(delivery)).map(receiptOf)
      const sentMs = clock.monotonicMs()
      await acknowledge(
        link,
        owned.map((received) => ({ received, body: working })),
      )
      for (const received of owned) received.leaseEndMs = sentMs + lendMs
      return held.filter((delivery) => !owned.includes(receiptOf(delivery)))
    },
    async close() {
      closed = true
      wake()
      forgetChange()
      if (!link.connected) return subscription.unsubscribe()
      await subscription.drain().catch(() => undefined)
      expire()
      // Nobody has seen these: the next reader need not wait for their lease to end.
      const unread = waiting.splice(0)
      await giveBack(unread)
      await parts.onClose()
    },
  }
  async function giveBack(unread: readonly Received[]): Promise<void> {
    if (unread.length === 0) return
    const known = await Promise.all(
      unread.map(({ place, deliveries }) => (deliveries === 1 ? undefined : attempts.read(place))),
    )
    await attempts.write(
      unread.map(({ place, deliveries }, index) => {
        return { place, record: { attempt: known[index]?.attempt ?? 1, deliveries, started: false } }
      }),
    )
    crashPoint('jetstream.unreadWritten')
    await acknowledge(
      link,
      unread.map((received) => ({ received, body: givenBack })),
    )
  }
}

function receiptOf(delivery: TransportDelivery): Received {
  return delivery.receipt as Received
}
function recordOf(settlement: Settlement): Parameters<Attempts['write']>[0] {
  const { delivery, as } = settlement
  if (as === 'ack' || as === 'deadLetter') return []
  const { place, deliveries } = receiptOf(delivery)
  const started = as === 'started'
  const attempt = started ? delivery.attempt + 1 : settlement.attempt
  return [{ place, record: { attempt, deliveries, started } }]
}
function bodyOf(settlement: Settlement): Uint8Array | undefined {
  switch (settlement.as) {
    case 'ack':
    case 'deadLetter':
      return acknowledged
    case 'release':
      return givenBack
    case 'retry':
      return Buffer.from(`-NAK {"delay":${Math.max(1, Math.ceil(settlement.afterMs * nanosPerMs))}}`)
    case 'started':
      return undefined
  }
}
