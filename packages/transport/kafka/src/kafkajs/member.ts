import type { Clock } from '@evt/core'
import type { Committed, KafkaMember, MemberEvents, MemberOptions, Session } from '../client.ts'
import { type AssignedMember, assignPartitions } from './assignment.ts'
import { closeQuietly, type Encoders, type KafkajsBroker, type KafkajsCluster } from './cluster.ts'
import { committedOf } from './connection.ts'
import { failureKind } from './failures.ts'
import { type Fetcher, startFetcher } from './fetcher.ts'

export interface MemberParts {
  open(): Promise<{ readonly cluster: KafkajsCluster; readonly encoders: Encoders }>
  readonly clock: Clock
  readonly options: MemberOptions
  readonly events: MemberEvents
}

interface Identity {
  readonly memberId: string
  readonly generation: number
  readonly partitions: readonly number[]
}

const protocol = 'evt'
const heartbeatMs = 300
const maxRetryMs = 2_000
const leaveMs = 5_000

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
    events.lost(cause instanceof Error ? cause : new Error(String(cause)))
  }
  /** Answers whether the session goes on without the group having changed. */
  const beat = async (): Promise<'stable' | 'changing' | 'lost'> => {
    const { memberId, generation } = identity!
    try {
      const broker = await coordinatorOf()
      await broker.heartbeat({ groupId: group, memberId, groupGenerationId: generation })
      beatMs = clock.monotonicMs()
      return 'stable'
    } catch (error) {
      const kind = failureKind(error)
      if (kind === 'rebalance') {
        beatMs = clock.monotonicMs()
        return 'changing'
      }
      if (kind === 'fenced' || clock.monotonicMs() - beatMs > sessionMs) {
        lose(error)
        return 'lost'
      }
      coordinator = undefined
      if (kind === 'other') discard()
      return 'stable'
    }
  }
  const drain = async () => {
    let drained = false
    const draining = events.revoking().finally(() => {
      drained = true
      wakeAll()
    })
    while (!drained) {
      await sleep(heartbeatMs)
      if (!drained && (await beat()) === 'lost') break
    }
    await draining
  }
  const join = async (): Promise<Session> => {
    if (group === undefined) {
      const { cluster } = await connected()
      const total = await partitionCount(cluster, topic)
      const partitions = Array.from({ length: total }, (_value, partition) => partition)
      const continues = identity !== undefined
      identity = { memberId: '', generation: 0, partitions }
      return { partitions, total, leads: true, continues }
    }
    if (identity !== undefined) await drain()
    const broker = await coordinatorOf()
    const { encoders, cluster } = await connected()
    const userData = Buffer.from(JSON.stringify(identity?.partitions ?? []))
    const metadata = encoders.MemberMetadata.encode({ version: 1, topics: [topic], userData })
    const before = identity
    const answer = await broker.joinGroup({
      groupId: group,
      sessionTimeout: sessionMs,
      rebalanceTimeout: rebalanceMs,
      memberId: before?.memberId ?? '',
      groupProtocols: [{ name: protocol, metadata }],
    })
    const { memberId, generationId: generation } = answer
    beatMs = clock.monotonicMs()
    // From here on the coordinator knows this member, whatever fails: it must be able to leave.
    identity = { memberId, generation, partitions: before?.partitions ?? [] }
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
    const partitions = encoders.MemberAssignment.decode(synced.memberAssignment)?.assignment[topic] ?? []
    const continues = before !== undefined && before.memberId === memberId && before.generation + 1 === generation
    identity = { memberId, generation, partitions }
    return { partitions, total, leads, continues }
  }
  /** Reads until the group changes or the session is over. */
  const serve = async (session: Session) => {
    let changed = false
    const end = () => {
      changed = true
      fetcher?.stop()
      wakeAll()
    }
    const beating = (async () => {
      while (!changed && !stopping) {
        await sleep(heartbeatMs)
        if (changed || stopping) return
        if (group !== undefined && (await beat()) !== 'stable') return end()
        // The leader looks whether somebody has added partitions.
        if (session.leads && opening !== undefined) {
          const total = await partitionCount((await connected()).cluster, topic).catch(() => session.total)
          if (total > session.total) return end()
        }
      }
    })()
    try {
      const positions = new Map(await events.assigned(session))
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
        if (identity !== undefined && group !== undefined && clock.monotonicMs() - beatMs > sessionMs) lose(error)
      }
    }
  }
  const running = run()

  return {
    async commit(offsets) {
      if (group === undefined) return 'committed'
      for (;;) {
        if (identity === undefined) return 'fenced'
        const { memberId, generation } = identity
        const broker = await coordinatorOf()
        const partitions = [...offsets].map(([partition, { offset, metadata }]) => ({
          partition,
          offset: String(offset),
          metadata,
        }))
        try {
          await broker.offsetCommit({
            groupId: group,
            memberId,
            groupGenerationId: generation,
            topics: [{ topic, partitions }],
          })
          return 'committed'
        } catch (error) {
          const kind = failureKind(error)
          if (kind === 'fenced') {
            if (identity?.generation === generation) lose(error)
            return 'fenced'
          }
          if (kind !== 'rebalance') {
            coordinator = undefined
            if (kind === 'other') discard()
            throw error
          }
          // Between the join and its answer nothing can be committed; the next session may still own these.
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
      let timer: { cancel(): void } | undefined
      const late = new Promise<void>((resolve) => {
        timer = clock.startTimer(resolve, leaveMs)
      })
      const leaving = (async () => {
        await running
        if (identity === undefined || group === undefined) return
        const broker = await coordinatorOf()
        await broker.leaveGroup({ groupId: group, memberId: identity.memberId })
      })()
      // Where the broker does not answer, the end of the session does the same.
      await Promise.race([leaving.catch(() => undefined), late])
      timer?.cancel()
      identity = undefined
      await opening?.then(
        ({ cluster }) => closeQuietly(cluster),
        () => undefined,
      )
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
