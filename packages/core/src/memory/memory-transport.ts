import { type Clock, systemClock } from '../clock.ts'
import { payloadBytes } from '../encoded-message.ts'
import { evtError } from '../errors.ts'
import { checkKnown, invalidOption, wholeNumber } from '../options.ts'
import type {
  Consumer,
  ConsumeSpec,
  Outgoing,
  PublishFailure,
  Settlement,
  Transport,
  TransportDeadLetter,
  TransportSupport,
} from '../transport.ts'
import { nextTurn } from '../turns.ts'
import { makeLocal, makeLocalConsumer } from './local.ts'
import { MemoryGroup } from './memory-group.ts'
import type { Lease } from './memory-item.ts'
import type { MemoryMessage } from './memory-message.ts'
import { MemoryTopic } from './memory-topic.ts'

export interface MemoryTransportOptions {
  /** What a publish does when a group is full. Default `wait`; what drops goes with `confirm: 'accepted'` only. */
  readonly overflow?: 'wait' | 'reject' | 'dropOldest' | 'dropNewest' | undefined
  /** When a publish resolves: once queued, or once every durable group has settled it. Default `accepted`. */
  readonly confirm?: 'accepted' | 'settled' | undefined
  /** Messages a group may hold, and the log keeps for groups to come. Default 10,000. */
  readonly maxMessages?: number | undefined
  /** Bytes a group may hold, and the log keeps. Default 64 MiB. */
  readonly maxBytes?: number | undefined
  /** Dead letters kept; when full, messages that would join them stay with their consumer. Default 10,000. */
  readonly maxDeadLetters?: number | undefined
  /** Hands handlers the very object that was published, neither encoded nor copied. Default false. */
  readonly byReference?: boolean | undefined
  readonly clock?: Clock | undefined
}

export interface MemoryTransport extends Transport {
  /** Every dead letter it keeps, of all topics. */
  deadLetters(): readonly TransportDeadLetter[]
  /** Messages that the overflow policy dropped. */
  readonly dropped: number
}

const known = ['overflow', 'confirm', 'maxMessages', 'maxBytes', 'maxDeadLetters', 'byReference', 'clock']

/** Messages inside one process: real groups, leases, retries and dead letters, lost with the process. */
export function memoryTransport(options: MemoryTransportOptions = {}): MemoryTransport {
  checkKnown('memoryTransport', options, known)
  const overflow = oneOf('overflow', options.overflow, ['wait', 'reject', 'dropOldest', 'dropNewest'])
  const confirm = oneOf('confirm', options.confirm, ['accepted', 'settled'])
  if (confirm === 'settled' && (overflow === 'dropOldest' || overflow === 'dropNewest'))
    throw invalidOption('overflow', `what is dropped is not settled: "${overflow}" goes with confirm "accepted" only`)
  const maxMessages = wholeNumber('maxMessages', options.maxMessages, { min: 1, default: 10_000 })
  const maxBytes = wholeNumber('maxBytes', options.maxBytes, { min: 1, default: 64 * 1_024 * 1_024 })
  const maxDeadLetters = wholeNumber('maxDeadLetters', options.maxDeadLetters, { min: 1, default: 10_000 })
  const clock = options.clock ?? systemClock
  const topics = new Map<string, MemoryTopic>()
  const letters: (TransportDeadLetter & { readonly topic: string })[] = []
  let lettersKept = 0
  let dropped = 0
  let closed = false

  const topicOf = (name: string) => {
    let topic = topics.get(name)
    if (topic === undefined) {
      topic = new MemoryTopic(name, clock, maxMessages, maxBytes)
      topics.set(name, topic)
    }
    return topic
  }
  const accept = async (outgoing: Outgoing): Promise<MemoryMessage | 'dropped' | Error> => {
    if (closed) return transportClosed()
    const topic = topicOf(outgoing.topic)
    const bytes = payloadBytes(outgoing)
    if (topic.waiting.size > 0 || !topic.hasRoom(bytes)) {
      if (overflow === 'reject') {
        return evtError(
          'EVT_TRANSPORT_FULL',
          `A group of "${outgoing.topic}" is full`,
          { topic: outgoing.topic },
          { retryable: true },
        )
      }
      if (overflow === 'dropNewest') return 'dropped'
      if (overflow === 'dropOldest') {
        dropped += topic.dropOldest(bytes)
        if (!topic.hasRoom(bytes)) return 'dropped'
      } else {
        await topic.room(bytes, () => closed)
        if (closed) return transportClosed()
      }
    }
    const message = topic.add(outgoing)
    topic.wakePublishers()
    return message
  }

  const transport: MemoryTransport = {
    name: 'memory',
    supports: memorySupport(confirm, options.byReference ?? false),
    get dropped() {
      return dropped
    },
    deadLetters: () => letters,
    async open() {
      if (!closed) return
      closed = false
      for (const topic of topics.values()) for (const group of topic.groups) group.open()
    },
    async declare({ name, partitions }) {
      if (partitions !== undefined) {
        const text = `The memory transport has no partitions, so "${name}" cannot have ${partitions}: its groups keep order without`
        throw evtError('EVT_TRANSPORT_PARTITIONS', text, { topic: name, wanted: partitions, actual: undefined })
      }
      topicOf(name)
      return { name, partitions: undefined }
    },
    async publish(batch) {
      const failures: PublishFailure[] = []
      const settled: Promise<void>[] = []
      for (let index = 0; index < batch.length; index += 1) {
        const outgoing = batch[index]!
        const topic = topics.get(outgoing.topic)
        const isFree = topic === undefined || (topic.waiting.size === 0 && topic.hasRoom(payloadBytes(outgoing)))
        const accepted = isFree && !closed ? topicOf(outgoing.topic).add(outgoing) : await accept(outgoing)
        if (accepted === 'dropped') dropped += 1
        else if (accepted instanceof Error) {
          // What follows would overtake this one.
          for (let rest = index; rest < batch.length; rest += 1)
            failures.push({ index: rest, outcome: 'unavailable', error: accepted })
          break
        } else if (confirm === 'settled') {
          const waits = accepted.whenSettled()
          if (waits !== undefined) settled.push(waits)
        }
      }
      if (settled.length > 0) await Promise.all(settled)
      return failures
    },
    async consume(spec) {
      if (typeof spec.from === 'object' && 'position' in spec.from && !/^\d{1,16}$/.test(spec.from.position))
        throw invalidOption('startAt', 'expected the position of a message of this topic')
      const topic = topicOf(spec.topic)
      const ephemeral = 'reader' in spec.as && spec.as.reader === 'ephemeral'
      let group = topic.group(spec.consumer)
      if (group === undefined) {
        group = new MemoryGroup({
          name: spec.consumer,
          durable: !ephemeral,
          clock,
          keepDeadLetters: (settlements) => keep(spec, settlements),
          onFreed: () => topic.wakePublishers(),
        })
        topic.replay(group, spec.from)
        topic.addGroup(group)
      }
      return memoryConsumer(group, spec, () => {
        if (!ephemeral) return
        group.close()
        topic.removeGroup(group)
        topic.wakePublishers()
      })
    },
    async inspect(name) {
      const nowMs = clock.nowMs()
      return (topics.get(name)?.groups ?? []).map((group) => group.state(nowMs))
    },
    async trim() {
      return { removed: 0, heldBackBy: null }
    },
    async readDeadLetters(topic, { after, limit }) {
      const found = letters.filter((letter) => letter.topic === topic && (after === undefined || +letter.id > +after))
      return found.slice(0, limit)
    },
    async removeDeadLetters(topic, ids) {
      const removed = new Set(ids)
      let kept = 0
      for (const letter of letters) {
        if (letter.topic === topic && removed.has(letter.id)) continue
        letters[kept] = letter
        kept += 1
      }
      letters.length = kept
    },
    async close() {
      closed = true
      for (const topic of topics.values()) {
        for (const group of topic.groups) group.close()
        for (const wake of topic.waiting.drain()) wake()
      }
    },
  }
  return makeLocal(transport, {
    clock,
    isSettled: confirm === 'settled',
    publish: transport.publish,
    accept(outgoing, nowMs) {
      const topic = topics.get(outgoing.topic)
      if (closed || topic === undefined || topic.waiting.size > 0 || !topic.hasRoom(payloadBytes(outgoing)))
        return undefined
      return topic.add(outgoing, nowMs)
    },
  })

  function keep(spec: ConsumeSpec, settlements: readonly (Settlement & { as: 'deadLetter' })[]): void {
    if (settlements.length === 0) return
    if (letters.length + settlements.length > maxDeadLetters) {
      throw evtError('EVT_DEAD_LETTERS_FULL', `The memory transport keeps ${maxDeadLetters} dead letters and is full`, {
        maxDeadLetters,
      })
    }
    for (const { delivery, reason, history } of settlements) {
      const { position, headers, key } = delivery
      const { payload } = (delivery.receipt as Lease).item.message.outgoing
      lettersKept += 1
      const id = String(lettersKept)
      letters.push({ id, topic: spec.topic, consumer: spec.consumer, position, headers, payload, key, reason, history })
    }
  }
}

function memoryConsumer(group: MemoryGroup, spec: ConsumeSpec, onClose: () => void): Consumer {
  const holder = {}
  const ordered = spec.ordered !== 'none'
  let closed = false
  let isBacklog = false
  const consumer: Consumer = {
    async read(room, signal) {
      // A backlog could be read and handled without the event loop turning once: timers and sockets go in between.
      if (isBacklog) await nextTurn()
      while (!signal.aborted && !closed) {
        const taken = group.take(holder, room, spec.leaseMs, ordered)
        isBacklog = taken.length > 0
        if (isBacklog) return taken
        await group.whenAvailable(signal)
      }
      return []
    },
    settle: async (batch) => group.settle(batch),
    extend: async (held) => group.extend(held, spec.leaseMs),
    async close() {
      closed = true
      group.abandon(holder)
      onClose()
    },
  }
  return makeLocalConsumer(consumer, {
    attach: (receiver) => group.attach(receiver),
    detach: (receiver) => group.detach(receiver),
    hasNext: () => group.hasAvailable,
    next: () => group.next(holder, ordered),
    acknowledge: (item) => group.acknowledge(item),
    lease: (item) => group.lease(item, holder, spec.leaseMs),
  })
}

function memorySupport(confirms: 'accepted' | 'settled', byReference: boolean): TransportSupport {
  return {
    durability: 'process',
    groups: true,
    ordering: { plain: 'group', partitioned: 'none' },
    lease: 'message',
    fencing: 'broker',
    delay: { maxMs: 7 * 86_400_000, precisionMs: 2 },
    attempts: 'memory',
    release: 'free',
    starts: ['earliest', 'latest', 'time', 'position'],
    deadLetters: 'memory',
    targeted: true,
    lag: 'exact',
    dedupeWindowMs: 0,
    retention: 'limits',
    publishOrder: 'prefix',
    confirms,
    maxMessageBytes: Number.MAX_SAFE_INTEGER,
    byReference,
    readOverrun: 0,
  }
}

function transportClosed(): Error {
  return evtError('EVT_TRANSPORT_CLOSED', 'The memory transport has closed', { transport: 'memory' })
}

function oneOf<const Values extends readonly string[]>(option: string, value: unknown, values: Values): Values[number] {
  if (value === undefined) return values[0]!
  if (!values.includes(value as string)) throw invalidOption(option, `expected one of ${values.join(', ')}`)
  return value as Values[number]
}
