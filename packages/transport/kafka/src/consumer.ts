import {
  type Consumer,
  type ConsumerEvents,
  type ConsumeSpec,
  crashPoint,
  invalidOption,
  isEvtError,
  type Timer,
} from '@evt/core'
import type { Append } from './append.ts'
import type { KafkaClient, KafkaConnection } from './client.ts'
import { headerNumber, KafkaDelivery, readPosition, retryPartitionsFrom } from './deliveries.ts'
import { DueHeap } from './due-heap.ts'
import { unavailable } from './errors.ts'
import { type GroupReader, groupReader } from './group-reader.ts'
import { own } from './headers.ts'
import { createInbox } from './inbox.ts'
import { createLease } from './lease.ts'
import type { KafkaNames } from './names.ts'
import type { Settings } from './options.ts'
import type { Item } from './progress.ts'
import { createSettling, isCurrent } from './settling.ts'
import { startOffsets } from './starts.ts'
import { maxDelayMs } from './support.ts'
import { untilReady } from './until-ready.ts'

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
  readonly append: Append
}

const failingGraceMs = 1_000
const lookMs = 5_000
const rebalanceMarginMs = 10_000

/** Reads a topic and its group's retries: one queue, settled by commits that a later owner cannot be hurt by. */
export async function kafkaConsumer(parts: ConsumerParts): Promise<Consumer> {
  const { client, connection, names, settings, spec, events, partitions } = parts
  const { clock, logger, sessionMs, drainMs } = settings
  if (typeof spec.from === 'object' && 'position' in spec.from && readPosition(spec.from.position) === undefined) {
    throw invalidOption('startAt', 'expected a position as a delivery has it')
  }
  const ephemeral = 'reader' in spec.as && spec.as.reader === 'ephemeral'
  const serverTopic = names.topic(spec.topic)
  const retryTopic = names.retryTopic(spec.consumer, spec.topic)
  let main: GroupReader | undefined
  let retries: GroupReader | undefined
  let lookTimer: Timer | undefined
  let closed = false
  /** Out of the group: the next read joins it again. */
  let away = false
  let failing: { readonly error: unknown; readonly sinceMs: number } | undefined
  /** How often the group has begun to change. */
  let changes = 0

  const wake = () => {
    main?.wake()
    retries?.wake()
  }
  const inbox = createInbox(wake)
  const delayed = new DueHeap(clock, (items) => {
    inbox.push(items)
    wake()
  })
  const isRetry = (item: Item) => retries?.progress.get(item.progress.partition) === item.progress
  const isHolding = () => main?.isHolding() === true || retries?.isHolding() === true

  const readerParts = (topic: string, partitionsFrom: number) => ({
    client,
    clock,
    topic,
    group: ephemeral ? undefined : names.group(spec.consumer, topic),
    sessionMs,
    rebalanceMs: drainMs + rebalanceMarginMs,
    earliest: () => connection.offsets(topic, 'earliest'),
    async revoking(mine: readonly number[]) {
      changes += 1
      inbox.freeze()
      // Whoever has just been handed messages must know of them before it is asked to drain.
      await new Promise<void>((resolve) => setImmediate(resolve))
      const revoked = mine.map((partition) => partition + partitionsFrom)
      if (revoked.length > 0) await events.revoking(revoked, drainMs)
    },
    thawed: () => inbox.thaw(),
    lost(mine: readonly number[], cause: Error) {
      inbox.forgetLost()
      delayed.forgetLost()
      const lost = mine.map((partition) => partition + partitionsFrom)
      if (lost.length > 0) events.lost(lost, cause)
    },
    cut: events.cut,
    async topicMissing() {
      await parts.recreate(topic)
      events.recreated(`topic ${topic}`)
    },
    failing(error: unknown) {
      if (error === undefined) failing = undefined
      else if (failing !== undefined) failing = { error, sinceMs: failing.sinceMs }
      else failed(error)
    },
  })
  const failed = (error: unknown) => {
    failing = { error, sinceMs: clock.monotonicMs() }
    clock.startTimer(() => inbox.interrupt(), failingGraceMs)
  }
  const startMain = () => {
    main = groupReader({
      ...readerParts(serverTopic, 0),
      startOf: (isNew) => startOffsets(connection, serverTopic, isNew ? spec.from : 'earliest'),
      attemptOf: () => 1,
      wants: () => !inbox.isFull,
      arrived: (items) => inbox.push(items),
    })
    main.start()
    return main
  }
  const startRetries = () => {
    if (retries !== undefined || ephemeral || closed || away) return
    retries = groupReader({
      ...readerParts(retryTopic, retryPartitionsFrom),
      startOf: () => connection.offsets(retryTopic, 'earliest'),
      attemptOf: (record) => Math.max(1, headerNumber(record.headers, own.attempt) ?? 1),
      wants: () => !inbox.isFull && delayed.size < settings.maxDelayed,
      arrived(items, isJustWritten) {
        for (const item of items) {
          const { headers, timestampMs } = item.record
          const afterMs = Math.min(maxDelayMs, headerNumber(headers, own.after) ?? 0)
          // The broker's clock and this one differ: what has just been written has its whole delay before it.
          const waitedMs = isJustWritten ? 0 : Math.max(0, clock.nowMs() - timestampMs)
          delayed.add(item, Math.max(0, afterMs - waitedMs))
        }
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
    if (ephemeral || closed || away || retries !== undefined) return
    lookTimer = clock.startTimer(() => {
      lookForRetries()
        .catch((error: unknown) => logger.debug({ err: error, topic: retryTopic }, 'looking for retries failed'))
        .finally(armLook)
    }, lookMs)
  }
  const leave = async () => {
    const readers = [main, retries]
    main = undefined
    retries = undefined
    lookTimer?.cancel()
    await Promise.all(readers.map((reader) => reader?.stop()))
    inbox.forgetLost()
    delayed.clear()
  }
  /** Nobody renews: whoever holds the messages is stuck, and others of the group shall have them. */
  const expire = async () => {
    if (away || closed) return
    away = true
    const cause = new Error(`leases were not renewed for ${spec.leaseMs} ms`)
    await leave()
    events.lost('all', cause)
    inbox.interrupt()
  }
  const lease = createLease(clock, spec.leaseMs, isHolding, () => {
    expire().catch((error: unknown) => logger.error({ err: error }, 'leaving a group failed'))
  })
  /** Marks messages as handed over and makes that durable where it must be; answers those that may go. */
  const hand = async (items: readonly Item[], room: number): Promise<readonly Item[]> => {
    if (!isHolding()) lease.renew()
    let mustCommit = false
    const going: Item[] = []
    for (const item of items) {
      const { progress, state } = item
      if (!progress.live || state !== 'waiting') continue
      if (progress.frozen) {
        inbox.putBack([item])
        continue
      }
      progress.room = Math.max(progress.room, room)
      mustCommit = progress.hand(item) || mustCommit
      going.push(item)
    }
    if (!mustCommit || ephemeral) return going
    const giveBack = () => {
      for (const item of going) item.progress.takeBack(item)
      inbox.putBack(going)
    }
    const before = changes
    try {
      await commit()
    } catch (error) {
      giveBack()
      throw error
    }
    crashPoint('transport.startsRecorded')
    if (changes === before && going.every(({ progress }) => progress.live)) return going
    giveBack()
    return []
  }
  const commit = async () => {
    await Promise.all([main?.commit(), retries?.commit()])
  }

  const first = startMain()
  try {
    await lookForRetries()
    armLook()
    const group = names.group(spec.consumer, serverTopic)
    // A group that has its places exists; a new one gets them from its first member.
    const exists = !ephemeral && (await connection.committed(group, serverTopic)).size >= partitions
    if (!exists) await untilReady(first, clock, drainMs + 2 * rebalanceMarginMs, () => failing?.error)
  } catch (error) {
    closed = true
    await leave()
    throw unavailable(`Joining the group of ${spec.consumer}`, error)
  }

  return {
    async read(room, signal) {
      while (!signal.aborted && !closed) {
        if (away) {
          away = false
          startMain()
          armLook()
        }
        if (failing !== undefined && clock.monotonicMs() - failing.sinceMs >= failingGraceMs && inbox.size === 0) {
          const { error } = failing
          failed(error)
          throw isEvtError(error) ? error : unavailable(`Reading ${spec.topic}`, error)
        }
        const handed = await hand(await inbox.take(room, signal), room.messages)
        if (handed.length === 0) continue
        lease.watch()
        return handed.map((item) => new KafkaDelivery(item, spec.leaseMs, isRetry(item)))
      }
      return []
    },
    settle: createSettling({
      consumer: spec.consumer,
      delaysInMemory: ephemeral,
      async append(kind, records) {
        const refused = await parts.append(kind === 'letters' ? names.letters(spec.topic) : retryTopic, kind, records)
        if (kind === 'retry') startRetries()
        return refused
      },
      commit,
      placeOf: (item) =>
        `partition ${item.progress.partition}, offset ${item.offset} of ${isRetry(item) ? retryTopic : serverTopic}`,
      delay: (item, afterMs) => delayed.add(item, afterMs),
      putBack: (items) => inbox.putBack(items),
    }),
    async extend(held) {
      if (held.length > 0 && lease.isExpired) await expire()
      else lease.renew()
      return held.filter((delivery) => !isCurrent(delivery))
    },
    async close() {
      if (closed) return
      closed = true
      lease.stop()
      inbox.close()
      await leave()
    },
  }
}
