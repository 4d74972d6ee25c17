import { crashPoint, evtError, type Room, Roster, type Settlement, type TransportDelivery } from '@evt/core'
import { isServerReply, type RedisArgument, redisFailure, replyWord, runScript } from '@evt/redis'
import type { ConsumerParts } from './consumer-parts.ts'
import { type HandedEntry, type Receipt, receiptOf, toDelivery, toNewDelivery } from './deliveries.ts'
import { groupMissing } from './errors.ts'
import type { Group } from './group.ts'
import { readerConnection } from './reader-connection.ts'
import { type Start, startBehind, startsOf } from './starts.ts'

/** The reading half of a consumer and the session that everything it has read hangs on. */
export interface Reader {
  readonly session: string
  read(room: Room, signal: AbortSignal): Promise<readonly TransportDelivery[]>
  /** The server has heard of the session at this time or later. */
  renewed(session: string, atMs: number): void
  /** These are settled; one that has only been started is still held. */
  forget(settlements: readonly Settlement[]): void
  /** There will be something to look for besides new messages. */
  lookWithin(ms: number): void
  close(): Promise<void>
}

const maxMessages = 1_000
/** How long a wait on the server lasts: this late at most are entries found that other processes gave back. */
const maxWaitMs = 1_000
const sweepEveryMs = 5_000
const answerLimitMs = 5_000
const vainPauseMs = 10

export async function createReader(parts: ConsumerParts, group: Group): Promise<Reader> {
  const { options, scripts, topics, topic, spec, events, warn } = parts
  const { client, clock, onMissing } = options
  const { consumer: name, leaseMs } = spec
  const partitioned = topic.partitions !== undefined
  const connection = readerConnection(client, clock)
  let held = new Roster<Receipt>()
  let session = ''
  let renewedMs = 0
  let inDoubt = false
  let nextLookMs = 0
  let nextSweepMs = 0
  let firstPartition = 0
  let averageBytes = 0
  let lastIds: readonly string[] = topic.streams.map(() => '$')
  /** Per stream the id behind which an ephemeral reader goes on when its group is gone. */
  const seen: string[] = []
  let wokenInVain = false
  /** Messages to be delivered again that are gone and nobody has been told of. */
  let removed = 0
  let closed = false
  let reading: Promise<unknown> | undefined

  const begin = async (starts: readonly Start[]) => {
    const sentMs = clock.monotonicMs()
    const joined = await group.join(session, starts)
    session = joined.session
    if (seen.length === 0) seen.push(...joined.positions)
    renewedMs = sentMs
    nextLookMs = 0
    nextSweepMs = 0
    inDoubt = false
    held = new Roster()
  }
  const lose = async (cause: Error, starts: readonly Start[] = []) => {
    await begin(starts)
    events.lost('all', cause)
  }
  const leaseLost = () => {
    const text = `${name} has not renewed its lease in time; others may have what it held`
    return evtError('EVT_LEASE_LOST', text, { messageId: '' })
  }
  const isGivenUp = async () => {
    const sentMs = clock.monotonicMs()
    const call = group.settle(session, 1, [0])
    const result = Number(await connection.ask(answerLimitMs, (asked) => runScript(asked, call)))
    if (result >= 0) renewedMs = sentMs
    return result < 0
  }
  const admit = (deliveries: readonly TransportDelivery[]) => {
    crashPoint('transport.claimed')
    let bytes = 0
    for (let index = 0; index < deliveries.length; index += 1) {
      const delivery = deliveries[index]!
      const receipt = receiptOf(delivery)
      // What comes a second time may lie before what has come since.
      if (group.ephemeral && receipt.label > 0 && delivery.deliveries === 1) seen[receipt.label - 1] = receipt.id
      held.add(receipt)
      bytes += delivery.payload.byteLength
    }
    averageBytes = bytes / deliveries.length
    return deliveries
  }

  const tellRemoved = () => {
    if (removed > 0) events.cut(removed, 'retention removed messages that were to be delivered again')
    removed = 0
  }

  /** Everything but new messages; in a topic with partitions those too. */
  const look = async (room: number) => {
    const sentMs = clock.monotonicMs()
    const sweep = sentMs >= nextSweepMs
    const isInDoubt = inDoubt
    firstPartition += 1
    const call = group.read(session, { room, sweep, firstPartition, held: isInDoubt ? held.inOrder() : undefined })
    inDoubt = true
    const reply = (await connection.ask(answerLimitMs, (asked) => runScript(asked, call))) as ReadReply
    const [alive, entries, soonMs, gone, cut, strange, ...ids] = reply
    if (alive === 0) {
      await lose(leaseLost())
      return []
    }
    inDoubt = isInDoubt && entries.length >= room
    renewedMs = sentMs
    if (sweep) nextSweepMs = sentMs + sweepEveryMs
    nextLookMs = sentMs + Math.min(maxWaitMs, leaseMs / 3, soonMs < 0 ? maxWaitMs : soonMs)
    if (ids.length > 0) lastIds = ids.map(String)
    if (cut > 0) events.cut(cut, 'retention removed unread messages')
    removed += gone
    if (strange > 0)
      warn(
        { topic: topic.name, consumer: name, count: strange },
        'what is no message stood among the delayed ones; it was dead-lettered',
      )
    // There may be more behind them, and each step would be a line in a log.
    if (entries.length === 0 && gone > 0) return []
    tellRemoved()
    if (entries.length === 0) return []
    wokenInVain = false
    return admit(entries.map((entry) => toDelivery(entry, { session, partitioned, leaseMs })))
  }
  /** New messages, or as long a wait as there is time until the next look. */
  const wait = async (room: number, signal: AbortSignal) => {
    const waitMs = Math.max(1, Math.ceil(nextLookMs - clock.monotonicMs()))
    if (partitioned) {
      const args = ['COUNT', 1, 'BLOCK', waitMs, 'STREAMS', ...topic.streams, ...lastIds]
      if ((await connection.block(waitMs, signal, 'XREAD', args)) === null) return []
      // What comes for partitions that others hold must not keep this reader busy.
      if (wokenInVain) await new Promise<void>((resolve) => clock.startTimer(resolve, vainPauseMs))
      wokenInVain = true
      nextLookMs = 0
      return []
    }
    const stream = topic.streams[0]!
    const args: RedisArgument[] = ['GROUP', name, session, 'COUNT', room, 'BLOCK', waitMs, 'STREAMS', stream, '>']
    inDoubt = true
    const reply = (await connection.block(waitMs, signal, 'XREADGROUP', args).catch((error: unknown) => {
      if (isServerReply(error)) inDoubt = false
      throw error
    })) as StreamReply | null
    inDoubt = false
    if (reply === null) return []
    if (clock.monotonicMs() - renewedMs >= leaseMs && (await isGivenUp())) {
      // What came belongs to a session that others have buried; they find it as strays.
      await lose(leaseLost())
      return []
    }
    // RESP3 answers with a map, RESP2 with a list of pairs.
    const entries = (Array.isArray(reply[0]) ? reply[0][1] : reply[1]) as readonly [Buffer, readonly Buffer[] | null][]
    const context = { session, partitioned, leaseMs }
    return admit(entries.map((entry) => toNewDelivery(entry[0].toString('latin1'), entry[1] ?? [], context)))
  }
  /** Makes again what is gone, where that is wanted. */
  const heal = async (error: unknown) => {
    const word = replyWord(error)
    if (word === 'UNBLOCKED') return
    // After a failover the address may lead to the new master.
    if (word === 'READONLY') connection.drop()
    if (word !== 'NOGROUP') throw error
    const missing = groupMissing(topic.name, name, error)
    if (onMissing === 'fail') throw missing
    await topics.restore(topic)
    const goOn = (id: string, index: number) => startBehind(client, scripts, topic.streams[index]!, id)
    const starts = group.ephemeral ? Promise.all(seen.map(goOn)) : startsOf(client, scripts, topic, 'earliest')
    await lose(missing, await starts)
    warn({ topic: topic.name, consumer: name }, `${missing.message}; it was made again`)
    events.cut(null, 'the group or its stream was removed')
    events.recreated(`group ${name}`)
  }
  const readOn = async (room: Room, signal: AbortSignal) => {
    const bytesRoom = averageBytes > 0 ? Math.max(1, Math.floor(room.bytes / averageBytes)) : room.messages
    const messages = Math.min(room.messages, bytesRoom, maxMessages)
    // Partitions are read by looking; a wait only tells when to look again.
    if (partitioned) nextLookMs = 0
    while (!signal.aborted && !closed) {
      try {
        const isLookDue = inDoubt || nextLookMs <= clock.monotonicMs()
        const found = isLookDue ? await look(messages) : await wait(messages, signal)
        if (found.length > 0) return found
      } catch (error) {
        await heal(error)
      }
    }
    tellRemoved()
    return []
  }

  await begin(await startsOf(client, scripts, topic, spec.from))
  return {
    get session() {
      return session
    },
    read(room, signal) {
      const read = readOn(room, signal).catch((error: unknown) => {
        throw redisFailure(error, `Reading ${topic.name} for ${name}`)
      })
      reading = read.catch(() => undefined)
      return read
    },
    renewed(of, atMs) {
      if (of === session) renewedMs = Math.max(renewedMs, atMs)
    },
    forget(settlements) {
      for (const { as, delivery } of settlements) {
        const receipt = receiptOf(delivery)
        // Those of a former session are not among them.
        if (as !== 'started' && receipt.session === session) held.remove(receipt)
      }
    },
    lookWithin(ms) {
      const dueMs = clock.monotonicMs() + ms
      if (dueMs >= nextLookMs) return
      nextLookMs = dueMs
      connection.unblock()
    },
    async close() {
      closed = true
      connection.unblock()
      await reading
      connection.close()
    },
  }
}

/** What the read script answers. */
type ReadReply = readonly [
  alive: number,
  entries: readonly HandedEntry[],
  soonMs: number,
  gone: number,
  cut: number,
  strange: number,
  ...lastIds: readonly Buffer[],
]
type StreamReply = readonly [unknown, unknown]
