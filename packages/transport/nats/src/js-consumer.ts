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
import { headerTexts, type NatsMessage } from './client.ts'
import type { DeadLetter } from './dead-letters.ts'
import type { Durable } from './durables.ts'
import { missing, unavailable } from './errors.ts'
import { createForgotten } from './forgotten.ts'
import { nanosPerMs } from './js-api.ts'
import type { Link } from './link.ts'
import { listen } from './listening.ts'
import { Progress } from './progress.ts'
import { createPulls, type Pulls } from './pulls.ts'
import { Received, readAcknowledgeTo } from './received.ts'
import type { KnownTopic } from './streams.ts'

const maxPullMs = 5_000
const partitionBatch = 16
// An empty answer is an acknowledgement, and the shortest.
const acknowledged = new Uint8Array(0)
const terminated = Buffer.from('+TERM')
const working = Buffer.from('+WPI')
const givenBack = Buffer.from('-NAK')
const healPauseMs = 100
const leaseEnded = 'the lease has ended by this process’s clock'

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
  /** The last sequence that the server knows it has handed over; 0 where it has no such consumer. */
  lastHandedOver(partition: number): Promise<number>
  /** Of an ephemeral reader, by partition: where it goes on should the server forget it. */
  readonly progress: readonly Progress[] | undefined
  onSettled(): void
  /** Whether the server still answers. */
  onClose(isHeard: boolean): Promise<void>
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
  const isOurs = (consumer: string) => partitionOfConsumer.has(consumer)
  const headersOf = headerTexts()
  const forgotten = createForgotten(parts.lastHandedOver)
  /** Settled by sequence, without an answer: the server may have taken it all the same. */
  const unanswered = new Map<number, Received>()
  let { progress } = parts
  let generation = 0
  let failure: Error | undefined
  let healedMs = Number.NEGATIVE_INFINITY
  let waiting: Received[] = []
  let inDoubt = false
  let closed = false
  let wake: () => void = () => {}

  const subscription = listen({
    client: link.client,
    subject: `${inbox}.*`,
    confirm: link.confirm,
    take(message) {
      arrive(message)
      wake()
    },
    onDenied: () => wake(),
  })
  function arrive(message: NatsMessage): void {
    const acknowledgeTo = readAcknowledgeTo(message.reply, isOurs)
    if (acknowledgeTo === undefined) return told(message)
    const partition = partitionOfConsumer.get(acknowledgeTo.consumer)!
    const pulls = pullsOf[partition]!
    const leaseEndMs = pulls.sinceMs + lendMs
    pulls.arrived()
    if (progress !== undefined) progress[partition]!.arrived(acknowledgeTo.sequence)
    const payload = message.data
    const { epoch } = forgotten
    const block = headersOf(message, topic.subjects[partition]!, payload)
    if (acknowledgeTo.deliveries > 1) supersede(acknowledgeTo.sequence)
    waiting.push(new Received(acknowledgeTo, { block, payload, partition, generation, epoch, leaseMs, leaseEndMs }))
  }
  function supersede(sequence: number): void {
    const before = unanswered.get(sequence)
    if (before === undefined) return
    before.superseded = true
    unanswered.delete(sequence)
  }
  /** A message of the server itself, about a pull. */
  function told(message: NatsMessage): void {
    if (!message.subject.startsWith(`${inbox}.`)) return
    const id = message.subject.slice(inbox.length + 1)
    const partition = partitionOfConsumer.get(id.slice(0, id.lastIndexOf('-')))
    const status = partition === undefined ? undefined : pullsOf[partition]!.status(id, message)
    if (status === 'inDoubt') inDoubt = true
    else if (status !== undefined) failure = unavailable('Reading', status.refused)
  }
  const forgetChange = link.onChange(() => {
    for (const pulls of pullsOf) pulls.forget()
    forgotten.changed()
    // The server may have lost what is not durable.
    inDoubt = true
    wake()
  })
  const forgetDenied = link.onDenied((subject, error) => {
    for (const pulls of pullsOf.filter((each) => each.subject === subject)) {
      pulls.forget()
      failure = error
    }
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
      const [pulls] = pullsOf as [Pulls]
      const wanted = messages - waiting.length - pulls.asked
      // A pull costs as much as some messages; but where the last has ended before the next is sent, both sides wait.
      if (wanted > 0 && (pulls.asked === 0 || wanted * 4 >= messages))
        // Those that are open have the rest of the bytes.
        pulls.ask({ messages: wanted, bytes: Math.ceil((bytes * wanted) / messages) })
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
    for (const { payload } of waiting) {
      size += payload.byteLength
      if (count > 0 && (count >= messages || size > bytes)) break
      count += 1
    }
    return waiting.splice(0, count)
  }
  const deliver = async (taken: Received[]): Promise<Received[]> => {
    const again = taken.filter(({ deliveries }) => deliveries > 1)
    if (again.length === 0) return taken
    try {
      const known = await Promise.all(again.map(({ place }) => attempts.read(place)))
      for (const [index, received] of again.entries()) received.remember(known[index])
      return taken
    } catch (error) {
      waiting.unshift(...taken)
      throw error
    }
  }
  const end = async (all: readonly Acknowledgement[]) => {
    for (const { received } of all) received.settled = true
    try {
      await acknowledge(link, all)
    } catch (error) {
      for (const { received } of all) {
        received.settled = false
        unanswered.set(received.sequence, received)
      }
      throw error
    }
    if (unanswered.size > 0) for (const { received } of all) unanswered.delete(received.sequence)
  }
  const isLost = (received: Received, nowMs: number) =>
    received.generation !== generation || received.leaseEndMs <= nowMs || received.superseded

  return {
    async read(room, signal) {
      while (!closed) {
        expire()
        if (link.connected) {
          if (subscription.denied !== undefined) await subscription.confirmed()
          if (inDoubt) await heal()
          if (failure !== undefined) {
            const why = failure
            failure = undefined
            throw why
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
      const nowMs = clock.monotonicMs()
      const refusals: Refusal[] = []
      const refuse = (received: Received, reason: string) => {
        unanswered.delete(received.sequence)
        refusals.push({ delivery: received, reason })
      }
      const records: Parameters<Attempts['write']>[0][number][] = []
      const letters: DeadLetter[] = []
      let all: Acknowledgement[] = []
      const unknown = await forgotten.among(batch.map(({ delivery }) => receiptOf(delivery)))
      for (const settlement of batch) {
        const received = receiptOf(settlement.delivery)
        if (isLost(received, nowMs)) {
          refuse(received, leaseEnded)
          continue
        }
        if (unknown.has(received)) {
          refuse(received, 'the server came back without knowing of it')
          continue
        }
        if (settlement.as === 'deadLetter') letters.push(settlement)
        else if (settlement.as !== 'ack') records.push(recordOf(settlement))
        const body = bodyOf(settlement)
        if (body !== undefined) all.push({ received, body })
      }
      if (records.length > 0) {
        await attempts.write(records)
        crashPoint('jetstream.attemptsWritten')
      }
      if (letters.length > 0) {
        await parts.keepDeadLetters(letters)
        crashPoint('jetstream.deadLettersKept')
      }
      if (records.length + letters.length > 0) {
        // Writing took its time: what somebody else may have by now is theirs.
        const writtenMs = clock.monotonicMs()
        const late = all.filter(({ received }) => isLost(received, writtenMs))
        for (const { received } of late) refuse(received, leaseEnded)
        if (late.length > 0) all = all.filter((each) => !late.includes(each))
      }
      await end(all)
      crashPoint('transport.settled')
      parts.onSettled()
      if (progress !== undefined) {
        for (const { received, body } of all)
          if (body === acknowledged || body === terminated) progress[received.partition]!.settled(received.sequence)
      }
      return refusals
    },
    async extend(held) {
      const sentMs = clock.monotonicMs()
      const owned: Received[] = []
      const unknown = await forgotten.among(held.map(receiptOf))
      const lost = held.filter((delivery) => {
        const received = receiptOf(delivery)
        if (isLost(received, sentMs) || unknown.has(received)) return true
        // Renewed behind its settlement, what was given back would come a whole lease later.
        if (!received.settled) owned.push(received)
        return false
      })
      await acknowledge(
        link,
        owned.map((received) => ({ received, body: working })),
      )
      for (const received of owned) received.leaseEndMs = sentMs + lendMs
      return lost
    },
    async close() {
      closed = true
      wake()
      forgetChange()
      forgetDenied()
      const isHeard = await link.drain(subscription)
      expire()
      // Nobody has seen these: where they can be given back, the next reader need not wait for their lease to end.
      const unread = waiting.splice(0)
      if (isHeard) await giveBack(unread).catch(() => undefined)
      await parts.onClose(isHeard)
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
function recordOf(settlement: Settlement & { readonly as: 'release' | 'started' | 'retry' }) {
  const { delivery, as } = settlement
  const { place, deliveries } = receiptOf(delivery)
  const started = as === 'started'
  return { place, record: { attempt: started ? delivery.attempt + 1 : settlement.attempt, deliveries, started } }
}
function bodyOf(settlement: Settlement): Uint8Array | undefined {
  switch (settlement.as) {
    case 'ack':
      return acknowledged
    case 'deadLetter':
      return terminated
    case 'release':
      return givenBack
    case 'retry':
      return Buffer.from(`-NAK {"delay":${Math.max(1, Math.ceil(settlement.afterMs * nanosPerMs))}}`)
    case 'started':
      return undefined
  }
}
