import {
  type Clock,
  type Consumer,
  type ConsumerEvents,
  type ConsumeSpec,
  crashPoint,
  invalidOption,
  pushSource,
  type Refusal,
  type Room,
  type Settlement,
  type Timer,
  type TransportDelivery,
} from '@evt/core'
import type { KafkaClient, KafkaConnection, NewRecord } from './client.ts'
import { letterRecord } from './dead-letters.ts'
import { headerNumber, type Receipt, readPosition, retryPartitionsFrom, toDelivery } from './deliveries.ts'
import { DueHeap } from './due-heap.ts'
import { unavailable } from './errors.ts'
import { type GroupReader, groupReader } from './group-reader.ts'
import { own, writeKafkaHeaders } from './headers.ts'
import type { KafkaNames } from './names.ts'
import type { Settings } from './options.ts'
import type { Item } from './progress.ts'
import { startOffsets } from './starts.ts'

export interface ConsumerParts {
  readonly client: KafkaClient
  readonly connection: KafkaConnection
  readonly names: KafkaNames
  readonly settings: Settings
  readonly spec: ConsumeSpec
  readonly events: ConsumerEvents
  /** Partitions of the topic. */
  readonly partitions: number
  /** Creates a topic of the server that is gone. */
  recreate(serverTopic: string): Promise<void>
  /** Appends to a topic of the transport's own, created where it is missing; rejects unless it is certain. */
  append(serverTopic: string, kind: 'retry' | 'letters', records: readonly NewRecord[]): Promise<void>
}

const bufferMessages = 2_000
const bufferBytes = 1_024 * 1_024
const failingGraceMs = 1_000
const lookMs = 5_000
const rebalanceMarginMs = 10_000

/** Reads a topic and its group's retries: one queue, settled by commits that a later owner cannot be hurt by. */
export async function kafkaConsumer(parts: ConsumerParts): Promise<Consumer> {
  const { client, connection, names, settings, spec, events, partitions } = parts
  const { clock, sessionMs, drainMs } = settings
  const ephemeral = 'reader' in spec.as && spec.as.reader === 'ephemeral'
  const serverTopic = names.topic(spec.topic)
  const retryTopic = names.retryTopic(spec.consumer, spec.topic)
  let main: GroupReader | undefined
  let retries: GroupReader | undefined
  let lookTimer: Timer | undefined
  let leaseTimer: Timer | undefined
  let closed = false
  /** Out of the group: the next read joins it again. */
  let away = false
  let paused = false
  let failing: { readonly error: unknown; readonly sinceMs: number } | undefined
  let interrupt: () => void = () => {}
  let renewedMs = 0
  let barrier = 0
  let aside: Item[] = []

  const source = pushSource<Item>({
    bytesOf: (item) => item.record.bytes + 200,
    limit: { messages: bufferMessages, bytes: bufferBytes },
    pause() {
      paused = true
    },
    resume() {
      paused = false
      main?.wake()
      retries?.wake()
    },
  })
  const heap = new DueHeap(clock, (items) => {
    for (const item of items) if (item.progress.live) source.push(item)
    retries?.wake()
  })
  /** Back into the queue, each partition in its order: what was given back is older than what waits. */
  const putBack = (items: readonly Item[]) => {
    if (items.length === 0) return
    const all = [...items, ...source.remove(() => true)]
    all.sort(
      (left, right) => left.progress.partition - right.progress.partition || left.record.offset - right.record.offset,
    )
    for (const item of all) source.push(item)
  }
  const isRetry = (item: Item) => retries?.progress.get(item.progress.partition) === item.progress
  const isHolding = () =>
    [main, retries].some((reader) => [...(reader?.progress.values() ?? [])].some(({ held }) => held > 0))

  const readerParts = (topic: string, offset: number) => ({
    client,
    clock,
    group: ephemeral ? undefined : names.group(spec.consumer, topic),
    sessionMs,
    rebalanceMs: drainMs + rebalanceMarginMs,
    earliest: () => connection.offsets(topic, 'earliest'),
    async revoking(mine: readonly number[]) {
      barrier += 1
      aside.push(...source.remove((item) => item.progress.frozen))
      // Whoever has just been handed messages must know of them before it is asked to drain.
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (mine.length > 0)
        await events.revoking(
          mine.map((partition) => partition + offset),
          drainMs,
        )
    },
    thawed() {
      const back = aside.filter((item) => item.progress.live && !item.progress.frozen)
      aside = aside.filter((item) => item.progress.live && item.progress.frozen)
      putBack(back)
    },
    lost(mine: readonly number[], cause: Error) {
      source.remove((item) => !item.progress.live)
      events.lost(
        mine.map((partition) => partition + offset),
        cause,
      )
    },
    cut: events.cut,
    async topicMissing() {
      await parts.recreate(topic)
      events.recreated(`topic ${topic}`)
    },
    failing(error: unknown) {
      if (error === undefined) failing = undefined
      else if (failing === undefined) {
        failing = { error, sinceMs: clock.monotonicMs() }
        clock.startTimer(() => interrupt(), failingGraceMs)
      } else failing = { error, sinceMs: failing.sinceMs }
    },
  })
  const startMain = () => {
    main = groupReader({
      ...readerParts(serverTopic, 0),
      topic: serverTopic,
      startOf: (isNew) => startOffsets(connection, serverTopic, isNew ? spec.from : 'earliest'),
      attemptOf: () => 1,
      wants: () => !paused,
      arrived(items) {
        for (const item of items) source.push(item)
      },
    })
    main.start()
  }
  const startRetries = () => {
    if (retries !== undefined || ephemeral || closed || away) return
    retries = groupReader({
      ...readerParts(retryTopic, retryPartitionsFrom),
      topic: retryTopic,
      startOf: () => connection.offsets(retryTopic, 'earliest'),
      attemptOf: (record) => Math.max(1, headerNumber(record.headers, own.attempt) ?? 1),
      wants: () => !paused && heap.size < settings.maxDelayed,
      arrived(items) {
        for (const item of items) heap.add(item, headerNumber(item.record.headers, own.due) ?? 0)
      },
    })
    retries.start()
  }
  /** Another process of the group may have made the retry topic. */
  const lookForRetries = async () => {
    if (ephemeral || retries !== undefined) return
    if ((await connection.partitionsOf(retryTopic)) !== undefined) startRetries()
  }
  const armLook = () => {
    if (ephemeral || closed || retries !== undefined) return
    lookTimer = clock.startTimer(() => {
      lookForRetries()
        .catch((error: unknown) => settings.logger.debug({ error, topic: retryTopic }, 'looking for retries failed'))
        .finally(armLook)
    }, lookMs)
  }
  const leave = async () => {
    const readers = [main, retries]
    main = undefined
    retries = undefined
    await Promise.all(readers.map((reader) => reader?.stop()))
    source.remove(() => true)
    heap.close()
    aside = []
  }
  /** Nobody renews: whoever holds the messages is stuck, and others of the group shall have them. */
  const expire = async () => {
    if (away || closed) return
    away = true
    const mine = [...(main?.progress.keys() ?? [])]
    const cause = new Error(`leases were not renewed for ${spec.leaseMs} ms`)
    await leave()
    if (mine.length > 0) events.lost('all', cause)
  }
  const isExpired = () => clock.monotonicMs() - renewedMs > spec.leaseMs
  const armLease = () => {
    if (leaseTimer !== undefined || closed) return
    leaseTimer = clock.startTimer(
      () => {
        leaseTimer = undefined
        if (away || !isHolding()) return
        if (isExpired()) expire().catch((error: unknown) => settings.logger.error({ error }, 'leaving a group failed'))
        else armLease()
      },
      Math.max(1, renewedMs + spec.leaseMs - clock.monotonicMs() + 1),
    )
  }
  const rejoin = () => {
    if (!away || closed) return
    away = false
    startMain()
    armLook()
    lookForRetries().catch(() => undefined)
  }
  /** Marks messages as handed over and makes that durable where it must be; answers those that may go. */
  const hand = async (items: readonly Item[]): Promise<readonly Item[]> => {
    const going: Item[] = []
    const readers = new Set<GroupReader>()
    if (!isHolding()) renewedMs = clock.monotonicMs()
    for (const item of items) {
      if (!item.progress.live || item.state !== 'waiting') continue
      if (item.progress.frozen) {
        aside.push(item)
        continue
      }
      const mustCommit = item.progress.hand(item)
      if (mustCommit && !ephemeral) readers.add(isRetry(item) ? retries! : main!)
      going.push(item)
    }
    if (readers.size === 0) return going
    const before = barrier
    try {
      await Promise.all([...readers].map((reader) => reader.commit()))
    } catch (error) {
      giveBack(going)
      throw error
    }
    crashPoint('transport.startsRecorded')
    if (barrier === before && going.every((item) => item.progress.live && !item.progress.frozen)) return going
    giveBack(going)
    return []
  }
  const giveBack = (items: readonly Item[]) => {
    const live = items.filter((item) => item.progress.live)
    for (const item of live) item.progress.takeBack(item)
    aside.push(...live.filter((item) => item.progress.frozen))
    putBack(live.filter((item) => !item.progress.frozen))
  }
  const take = async (room: Room, signal: AbortSignal) => {
    const stop = new AbortController()
    const end = () => stop.abort()
    interrupt = end
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    try {
      return await source.read(room, stop.signal)
    } finally {
      signal.removeEventListener('abort', end)
    }
  }
  const isCurrent = (delivery: TransportDelivery) => {
    const { item, lease } = delivery.receipt as Receipt
    return item.progress.live && item.lease === lease && item.state === 'held'
  }
  /** Writes what leaves this topic, before anything says that it has left. */
  const move = async (batch: readonly Settlement[]) => {
    const letters: NewRecord[] = []
    const delayed: NewRecord[] = []
    const moved: Item[][] = [[], []]
    for (const settlement of batch) {
      const { item } = settlement.delivery.receipt as Receipt
      if (item.moved) continue
      if (settlement.as === 'deadLetter') {
        letters.push(letterRecord(spec.consumer, settlement))
        moved[0]!.push(item)
      } else if (settlement.as === 'retry' && !ephemeral) {
        delayed.push(retryRecord(settlement, clock))
        moved[1]!.push(item)
      }
    }
    if (letters.length > 0) {
      await parts.append(names.letters(spec.topic), 'letters', letters)
      for (const item of moved[0]!) item.moved = true
      crashPoint('transport.deadLettered')
    }
    if (delayed.length > 0) {
      await parts.append(retryTopic, 'retry', delayed)
      for (const item of moved[1]!) item.moved = true
      crashPoint('transport.delayed')
      startRetries()
    }
  }
  const apply = (settlement: Settlement, released: Item[]) => {
    const { item } = settlement.delivery.receipt as Receipt
    const { progress } = item
    if (settlement.as === 'started') progress.start(item)
    else if (settlement.as === 'release') {
      progress.release(item, settlement.attempt)
      released.push(item)
    } else if (settlement.as === 'retry' && ephemeral) {
      progress.release(item, settlement.attempt)
      heap.add(item, clock.nowMs() + settlement.afterMs)
    } else progress.done(item)
  }

  if (typeof spec.from === 'object' && 'position' in spec.from && readPosition(spec.from.position) === undefined) {
    throw invalidOption('startAt', 'expected a position as a delivery has it')
  }
  startMain()
  try {
    await lookForRetries()
    armLook()
    const group = names.group(spec.consumer, serverTopic)
    // A group that has its places exists; a new one gets them from its first member.
    const exists = !ephemeral && (await connection.committed(group, serverTopic)).size >= partitions
    if (!exists) await untilReady(main!, clock, settings.drainMs + 2 * rebalanceMarginMs, () => failing?.error)
  } catch (error) {
    closed = true
    lookTimer?.cancel()
    await leave()
    throw unavailable(`Joining the group of ${spec.consumer}`, error)
  }

  return {
    async read(room, signal) {
      rejoin()
      while (!signal.aborted && !closed) {
        if (failing !== undefined && clock.monotonicMs() - failing.sinceMs >= failingGraceMs && source.size === 0) {
          const { error } = failing
          failing = { error, sinceMs: clock.monotonicMs() }
          clock.startTimer(() => interrupt(), failingGraceMs)
          throw unavailable(`Reading ${spec.topic}`, error)
        }
        const handed = await hand(await take(room, signal))
        if (handed.length === 0) continue
        armLease()
        return handed.map((item) => toDelivery(item, spec.leaseMs, isRetry(item)))
      }
      return []
    },
    async settle(batch) {
      const current = batch.filter(({ delivery }) => isCurrent(delivery))
      await move(current)
      const still = current.filter(({ delivery }) => isCurrent(delivery))
      const released: Item[] = []
      for (const settlement of still) apply(settlement, released)
      await Promise.all([main?.commit(), retries?.commit()])
      crashPoint('transport.settled')
      const settled = new Set(still.filter(({ delivery }) => (delivery.receipt as Receipt).item.progress.live))
      const back = released.filter((item) => item.progress.live)
      aside.push(...back.filter((item) => item.progress.frozen))
      putBack(back.filter((item) => !item.progress.frozen))
      return batch
        .filter((settlement) => !settled.has(settlement))
        .map(({ delivery }): Refusal => ({ delivery, reason: 'the lease was lost' }))
    },
    async extend(held) {
      if (held.length > 0 && isExpired()) await expire()
      else renewedMs = clock.monotonicMs()
      return held.filter((delivery) => !isCurrent(delivery))
    },
    async close() {
      if (closed) return
      closed = true
      lookTimer?.cancel()
      leaseTimer?.cancel()
      source.close()
      await leave()
    },
  }
}

function retryRecord(settlement: Settlement & { readonly as: 'retry' }, clock: Clock): NewRecord {
  const { delivery, attempt, afterMs } = settlement
  const { headers, payload, key, position } = delivery
  return {
    key: key ?? null,
    value: payload,
    headers: {
      ...writeKafkaHeaders(headers),
      [own.attempt]: String(attempt),
      [own.due]: String(Math.ceil(clock.nowMs() + afterMs)),
      [own.position]: position,
    },
  }
}

async function untilReady(reader: GroupReader, clock: Clock, limitMs: number, failure: () => unknown): Promise<void> {
  const endMs = clock.monotonicMs() + limitMs
  let isReady = false
  const ready = reader.ready.then(() => {
    isReady = true
  })
  let failingMs = 0
  while (!isReady) {
    await Promise.race([ready, new Promise<void>((resolve) => clock.startTimer(resolve, 100))])
    const error = failure()
    failingMs = error === undefined ? 0 : failingMs + 100
    if (failingMs > 5_000 || clock.monotonicMs() > endMs) throw error ?? new Error(`not joined within ${limitMs} ms`)
  }
}
