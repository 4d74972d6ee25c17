import { type Clock, within } from '@evt/core'
import type { Committed, KafkaMember, MemberEvents, MemberOptions, Session } from '../client.ts'
import { type AssignedMember, assignPartitions, type Owned, ownedNow } from './assignment.ts'
import { closeQuietly, type Encoders, type KafkajsBroker, type KafkajsCluster } from './cluster.ts'
import { committedOf } from './connection.ts'
import { failureKind } from './failures.ts'
import { type Fetcher, startFetcher } from './fetcher.ts'
import { sendCommit } from './requests.ts'

export interface MemberParts {
  open(): Promise<{ readonly cluster: KafkajsCluster; readonly encoders: Encoders }>
  readonly clock: Clock
  readonly options: MemberOptions
  readonly events: MemberEvents
}

interface Identity {
  readonly memberId: string
  readonly generation: number
  /** Partitions, each with the generation since which it has had no other owner; undefined between the join and its assignment. */
  readonly owned: Owned | undefined
}

type Joined = Omit<Session, 'isOver'>

const protocol = 'evt'
const heartbeatMs = 300
/** How long before its session can end a member that nobody answers gives up what it owns. */
const marginMs = 1_000
const maxRetryMs = 2_000
const leaveMs = 5_000
/** How long a request that is under way may hold up leaving. */
const joinGraceMs = 1_000
/** How many heartbeats pass before the leader counts the partitions again. */
const beatsPerLook = 100

/**
 * Membership of a group, spoken on the protocol: kafkajs' own consumer has no hook that is awaited before a group changes,
 * commits with whatever generation is current, and stops its heartbeats while it fetches.
 */
export function kafkajsMember({ open, clock, options, events }: MemberParts): KafkaMember {
  const { group, topic, sessionMs, rebalanceMs } = options
  let opening: ReturnType<MemberParts['open']> | undefined
  let coordinator: KafkajsBroker | undefined
  /** Who this member is to the coordinator; kept while the group changes. */
  let identity: Identity | undefined
  /** The last membership that had an assignment: one that fails half-way may have been another's session. */
  let assignedAs: Identity | undefined
  let fetcher: Fetcher | undefined
  let stopping = false
  let beatMs = 0
  const sleepers = new Set<() => void>()

  const sleep = (delayMs: number) =>
    new Promise<void>((resolve) => {
      const done = () => {
        timer.cancel()
        sleepers.delete(done)
        resolve()
      }
      const timer = clock.startTimer(done, delayMs)
      sleepers.add(done)
    })
  const wakeAll = () => {
    for (const done of [...sleepers]) done()
  }
  const connected = () => {
    opening ??= open().catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }
  const coordinatorOf = async () => {
    const { cluster } = await connected()
    coordinator ??= await cluster.findGroupCoordinator({ groupId: group! })
    return coordinator
  }
  const discard = () => {
    void opening?.then(
      ({ cluster }) => closeQuietly(cluster),
      () => undefined,
    )
    opening = undefined
    coordinator = undefined
  }
  const lose = (cause: unknown) => {
    if (identity === undefined) return
    identity = undefined
    assignedAs = undefined
    events.lost(cause instanceof Error ? cause : new Error(String(cause)))
  }
  /** From when on others may have what this member owns, whatever it knows itself. */
  const isSessionOver = () => clock.monotonicMs() >= beatMs + sessionMs - marginMs
  /** Answers whether the session goes on without the group having changed. */
  const beat = async (): Promise<'stable' | 'changing' | 'lost'> => {
    if (identity === undefined) return 'lost'
    const { memberId, generation } = identity
    let answer: 'stable' | 'changing' | undefined
    const ask = async () => {
      const broker = await coordinatorOf()
      const sentMs = clock.monotonicMs()
      try {
        await broker.heartbeat({ groupId: group, memberId, groupGenerationId: generation })
        answer = 'stable'
      } catch (error) {
        if (failureKind(error) !== 'rebalance') throw error
        answer = 'changing'
      }
      beatMs = Math.max(beatMs, sentMs)
    }
    try {
      // A silent connection would be given up later than the session.
      await within(clock, Math.max(0, beatMs + sessionMs - marginMs - clock.monotonicMs()), ask())
      if (answer !== undefined) return answer
      throw new Error(`no heartbeat was answered for ${sessionMs - marginMs} ms`)
    } catch (error) {
      const kind = failureKind(error)
      if (kind === 'other') discard()
      else if (kind !== 'fenced') coordinator = undefined
      if (kind !== 'fenced' && !isSessionOver()) return 'stable'
      lose(error)
      return 'lost'
    }
  }
  const drain = async () => {
    let drained = false
    const draining = events
      .revoking()
      .catch((error: unknown) => events.failing(error))
      .finally(() => {
        drained = true
        wakeAll()
      })
    while (!drained) {
      await sleep(heartbeatMs)
      if (!drained && (await beat()) === 'lost') break
    }
    await draining
  }
  const join = async (): Promise<Joined> => {
    if (group === undefined) {
      const { cluster } = await connected()
      const total = await partitionCount(cluster, topic)
      const partitions = Array.from({ length: total }, (_value, partition) => partition)
      const continues = identity !== undefined
      identity = { memberId: '', generation: 0, owned: new Map() }
      return { partitions, total, leads: true, continues }
    }
    // A join without an assignment follows one drain already, and nothing has been handed over since.
    if (identity?.owned !== undefined) await drain()
    const broker = await coordinatorOf()
    const { encoders, cluster } = await connected()
    const userData = Buffer.from(JSON.stringify([...(assignedAs?.owned?.keys() ?? [])]))
    const metadata = encoders.MemberMetadata.encode({ version: 1, topics: [topic], userData })
    const answer = await broker.joinGroup({
      groupId: group,
      sessionTimeout: sessionMs,
      rebalanceTimeout: rebalanceMs,
      memberId: identity?.memberId ?? '',
      groupProtocols: [{ name: protocol, metadata }],
    })
    const { memberId, generationId: generation } = answer
    beatMs = clock.monotonicMs()
    // From here on the coordinator knows this member, whatever fails: it must be able to leave.
    identity = { memberId, generation, owned: undefined }
    const leads = answer.leaderId === memberId
    const total = await partitionCount(cluster, topic)
    let groupAssignment: { memberId: string; memberAssignment: Buffer }[] = []
    if (leads) {
      const members = answer.members.map(({ memberId: id, memberMetadata }): AssignedMember => {
        return { id, owned: ownedOf(encoders, memberMetadata) }
      })
      groupAssignment = [...assignPartitions(members, total)].map(([id, partitions]) => ({
        memberId: id,
        memberAssignment: encoders.MemberAssignment.encode({
          version: 1,
          assignment: { [topic]: partitions },
          userData: Buffer.alloc(0),
        }),
      }))
    }
    const synced = await broker.syncGroup({ groupId: group, generationId: generation, memberId, groupAssignment })
    // The coordinator counts anew from its answer.
    beatMs = clock.monotonicMs()
    const partitions = encoders.MemberAssignment.decode(synced.memberAssignment)?.assignment[topic] ?? []
    const continues = assignedAs?.memberId === memberId && assignedAs.generation + 1 === generation
    identity = {
      memberId,
      generation,
      owned: ownedNow(continues ? assignedAs?.owned : undefined, partitions, generation),
    }
    assignedAs = identity
    return { partitions, total, leads, continues }
  }
  const hasGrown = async (total: number) => {
    try {
      return (await partitionCount((await connected()).cluster, topic)) > total
    } catch {
      return false
    }
  }
  /** Reads until the group changes or the session is over. */
  const serve = async (joined: Joined) => {
    let changed = false
    const session: Session = { ...joined, isOver: () => changed || stopping }
    const end = () => {
      changed = true
      fetcher?.stop()
      wakeAll()
    }
    const beating = (async () => {
      for (let beats = 1; ; beats += 1) {
        await sleep(heartbeatMs)
        if (changed || stopping) return
        if (group !== undefined && (await beat()) !== 'stable') return end()
        if (session.leads && beats % beatsPerLook === 0 && (await hasGrown(session.total))) return end()
      }
    })()
    try {
      const places = await events.assigned(session).catch((error: unknown) => {
        if (changed) return undefined
        throw error
      })
      if (places === undefined) return
      const positions = new Map(places)
      wakeAll()
      let failures = 0
      while (!changed && !stopping) {
        const startedMs = clock.monotonicMs()
        try {
          const { cluster } = await connected()
          events.failing(undefined)
          fetcher = startFetcher(cluster, topic, positions, events)
          if (stopping) fetcher.stop()
          await fetcher.done
        } catch (error) {
          const kind = failureKind(error)
          if (kind === 'missing' || changed || stopping) throw error
          failures = clock.monotonicMs() - startedMs > maxRetryMs ? 1 : failures + 1
          events.failing(error)
          if (kind === 'other') discard()
          await sleep(Math.min(maxRetryMs, 50 * 2 ** Math.min(failures, 6)))
        } finally {
          fetcher?.stop()
        }
      }
    } finally {
      end()
      fetcher = undefined
      await beating
    }
  }
  const run = async () => {
    let failures = 0
    while (!stopping) {
      try {
        const session = await join()
        if (stopping) return
        failures = 0
        await serve(session)
      } catch (error) {
        if (stopping) return
        const kind = failureKind(error)
        if (kind === 'fenced') lose(error)
        if (kind === 'rebalance') continue
        failures += 1
        events.failing(error)
        coordinator = undefined
        if (kind === 'missing') await events.topicMissing().catch((thrown: unknown) => events.failing(thrown))
        if (kind === 'other' || kind === 'missing') discard()
        await sleep(Math.min(maxRetryMs, 50 * 2 ** Math.min(failures, 6)))
        if (identity !== undefined && group !== undefined && isSessionOver()) lose(error)
      }
    }
  }
  const running = run()

  return {
    async commit(offsets, isStart = false) {
      if (group === undefined) return 'committed'
      const readBy = assignedAs?.generation ?? 0
      for (;;) {
        if (identity === undefined) return 'fenced'
        const { memberId, generation, owned } = identity
        // Between the join and its assignment nobody knows whose these will be.
        if (owned === undefined) {
          await sleep(heartbeatMs)
          continue
        }
        const isMine = (partition: number) => (owned.get(partition) ?? Number.POSITIVE_INFINITY) <= readBy
        const mine = isStart ? [...offsets] : [...offsets].filter(([partition]) => isMine(partition))
        if (mine.length === 0) return 'fenced'
        try {
          await sendCommit(await coordinatorOf(), { group, memberId, generation, topic, offsets: mine })
          return 'committed'
        } catch (error) {
          const kind = failureKind(error)
          // The answer to a commit that waited behind a join: what nobody else has owned since is committed under the new session.
          if (kind === 'fenced' && identity !== undefined && identity.generation !== generation) continue
          if (kind === 'fenced') {
            lose(error)
            return 'fenced'
          }
          if (kind !== 'rebalance') {
            coordinator = undefined
            if (kind === 'other') discard()
            throw error
          }
          await sleep(heartbeatMs)
        }
      }
    },
    async committed() {
      if (group === undefined) return new Map<number, Committed>()
      const broker = await coordinatorOf()
      return committedOf(broker, group, topic, await partitionCount((await connected()).cluster, topic))
    },
    wake() {
      fetcher?.wake()
    },
    async leave() {
      stopping = true
      wakeAll()
      fetcher?.stop()
      const leaving = (async () => {
        const hasEnded = await within(clock, joinGraceMs, Promise.allSettled([running]))
        if (identity === undefined || group === undefined) return
        // A join waits until others have drained, and the broker reads nothing behind it: another connection passes it.
        const other = hasEnded ? undefined : (await open()).cluster
        try {
          const broker = await (other?.findGroupCoordinator({ groupId: group }) ?? coordinatorOf())
          await broker.leaveGroup({ groupId: group, memberId: identity.memberId })
        } finally {
          await closeQuietly(other)
        }
      })()
      // Where the broker does not answer, the end of the session does the same.
      await within(clock, leaveMs, Promise.allSettled([leaving]))
      identity = undefined
      const closing = opening?.then(({ cluster }) => closeQuietly(cluster))
      await within(clock, joinGraceMs, Promise.allSettled([closing]))
    },
  }
}

async function partitionCount(cluster: KafkajsCluster, topic: string): Promise<number> {
  const { topicMetadata } = await cluster.metadata({ topics: [topic] })
  return topicMetadata[0]!.partitionMetadata.length
}

function ownedOf(encoders: Encoders, metadata: Buffer): readonly number[] {
  try {
    const owned: unknown = JSON.parse(encoders.MemberMetadata.decode(metadata)?.userData?.toString('utf8') ?? '[]')
    return Array.isArray(owned) ? owned.filter((partition) => Number.isInteger(partition)) : []
  } catch {
    return []
  }
}
