import { type Clock, crashPoint, within } from '@evt/core'
import type { Committed, KafkaClient, KafkaMember, KafkaRecord, Session } from './client.ts'
import { type Item, Progress, type Snapshot } from './progress.ts'

export interface GroupReaderParts {
  readonly client: KafkaClient
  readonly clock: Clock
  /** Undefined: a reader alone, that commits nothing. */
  readonly group: string | undefined
  readonly topic: string
  readonly sessionMs: number
  readonly rebalanceMs: number
  /** The first offset of these partitions: `isNew` where the group has committed nothing at all. */
  startOf(isNew: boolean): Promise<readonly number[]>
  /** The first offset that exists, of each partition. */
  earliest(): Promise<readonly number[]>
  /** The attempt that a record tells by itself. */
  attemptOf(record: KafkaRecord): number
  /** May more be fetched? */
  wants(): boolean
  /** Just written: a second ago they were not there yet. */
  arrived(items: readonly Item[], isJustWritten: boolean): void
  /** Nothing of the frozen partitions is handed over from now on: drain what is. */
  revoking(partitions: readonly number[]): Promise<void>
  /** Partitions are this reader's again, or for the first time. */
  thawed(): void
  /** Others may own partitions by now; those named may still have handlers running. */
  lost(partitions: readonly number[], cause: Error): void
  cut(count: number | null, reason: string): void
  topicMissing(): Promise<void>
  failing(error: unknown): void
}

export interface GroupReader {
  start(): void
  /** Resolves once every partition of the group has a place to go on from. */
  readonly ready: Promise<void>
  readonly progress: ReadonlyMap<number, Progress>
  /** Something is handed over and not settled. */
  isHolding(): boolean
  /** Resolves when everything that had changed at the call is durable, or what was lost is no longer live. */
  commit(): Promise<void>
  wake(): void
  /** Commits, leaves the group and lets go of everything. */
  stop(): Promise<void>
}

const readyPollMs = 50
const justMs = 1_000
const lastCommitMs = 2_000

/** A topic as one member of a group reads it: which partitions, how far each is, and commits that cannot be stale. */
export function groupReader(parts: GroupReaderParts): GroupReader {
  const { client, clock, group, topic, sessionMs, rebalanceMs } = parts
  const progress = new Map<number, Progress>()
  /** When nothing stood behind what was fetched of a partition. */
  const emptyMs = new Map<number, number>()
  let member: KafkaMember | undefined
  let wasNew = true
  let stopped = false
  let exact = false
  let markReady: () => void = () => {}
  const ready = new Promise<void>((resolve) => {
    markReady = resolve
  })

  const lose = (partitions: readonly number[], cause: Error, told: (each: Progress) => boolean = () => true) => {
    const gone = partitions.flatMap((partition) => progress.get(partition) ?? [])
    if (gone.length === 0) return
    for (const each of gone) {
      each.live = false
      progress.delete(each.partition)
    }
    parts.lost(
      gone.filter(told).map((each) => each.partition),
      cause,
    )
  }
  /** The commits of all partitions; a group's leader makes those that are missing before anybody fetches. */
  const places = async ({ leads, total, partitions, isOver }: Session): Promise<ReadonlyMap<number, Committed>> => {
    if (group === undefined) {
      const starts = await parts.startOf(wasNew)
      wasNew = false
      return new Map(partitions.map((partition) => [partition, { offset: starts[partition] ?? 0, metadata: '' }]))
    }
    for (;;) {
      const committed = new Map(await member!.committed())
      const missing = Array.from({ length: total }, (_value, partition) => partition).filter(
        (partition) => !committed.has(partition),
      )
      if (missing.length === 0 || stopped) return committed
      // The leader that was to set the start may be gone, and the next one is chosen only once all have joined again.
      if (isOver()) throw new Error('the group changed before its start was set')
      if (leads) {
        const starts = await parts.startOf(wasNew && committed.size === 0)
        const made = new Map(missing.map((partition) => [partition, { offset: starts[partition] ?? 0, metadata: '' }]))
        if ((await member!.commit(made, true)) === 'fenced')
          throw new Error('the group changed while its start was set')
        crashPoint('transport.groupCreated')
        for (const [partition, place] of made) committed.set(partition, place)
        return committed
      }
      await new Promise<void>((resolve) => clock.startTimer(resolve, readyPollMs))
    }
  }
  const assigned = async (session: Session): Promise<ReadonlyMap<number, number>> => {
    const { partitions, continues } = session
    const gone = [...progress.keys()].filter((partition) => !continues || !partitions.includes(partition))
    // Where nothing runs any more, a partition that moves is nobody's loss.
    lose(gone, new Error('the partitions went to another member of the group'), ({ held }) => held > 0)
    const committed = await places(session)
    const fresh = partitions.filter((partition) => !progress.has(partition))
    const earliest = fresh.length === 0 ? [] : await parts.earliest()
    for (const partition of fresh) {
      const place = committed.get(partition) ?? { offset: 0, metadata: '' }
      const first = earliest[partition] ?? 0
      if (place.offset < first) {
        parts.cut(first - place.offset, 'they were removed before the group had read them')
        progress.set(partition, new Progress(partition, { offset: first, metadata: '' }))
      } else progress.set(partition, new Progress(partition, place))
    }
    wasNew = false
    exact = false
    for (const each of progress.values()) each.frozen = false
    parts.thawed()
    markReady()
    return new Map([...progress].map(([partition, { next }]) => [partition, next]))
  }

  let flushing: Promise<void> | undefined
  const flushOnce = async () => {
    const dirty = [...progress.values()].filter((each) => each.dirty)
    if (dirty.length === 0 || member === undefined) return
    const commits = new Map<number, Snapshot>()
    for (const each of dirty) {
      each.dirty = false
      commits.set(each.partition, each.snapshot(exact))
    }
    try {
      if (group !== undefined && (await member.commit(commits)) === 'fenced') {
        // What another session has taken over meanwhile is not theirs to lose.
        const current = dirty.filter((each) => progress.get(each.partition) === each)
        lose(
          current.map(({ partition }) => partition),
          new Error('the session is over'),
        )
        return
      }
    } catch (error) {
      for (const each of dirty) each.dirty = true
      throw error
    }
    crashPoint('transport.committed')
    for (const each of dirty) each.committed(commits.get(each.partition)!)
    if (dirty.some((each) => !each.frozen)) member?.wake()
  }
  /** One commit under way at a time; whoever comes meanwhile shares the next. */
  let next: Promise<void> | undefined
  const commit = (): Promise<void> => {
    if (flushing === undefined) {
      flushing = flushOnce().finally(() => {
        flushing = undefined
      })
      return flushing
    }
    next ??= flushing
      .catch(() => undefined)
      .then(() => {
        next = undefined
        return commit()
      })
    return next
  }

  return {
    ready,
    progress,
    isHolding() {
      for (const { held } of progress.values()) if (held > 0) return true
      return false
    },
    commit,
    start() {
      member = client.join(
        { group, topic, sessionMs, rebalanceMs },
        {
          assigned,
          async revoking() {
            for (const each of progress.values()) each.frozen = true
            await parts.revoking([...progress.keys()])
            exact = true
            for (const each of progress.values()) each.dirty = true
            await commit().catch(parts.failing)
          },
          fetched(partition, fetched) {
            const nowMs = clock.monotonicMs()
            const isJustWritten = nowMs - (emptyMs.get(partition) ?? Number.NEGATIVE_INFINITY) < justMs
            if (fetched.next >= fetched.end) emptyMs.set(partition, nowMs)
            const each = progress.get(partition)
            if (each === undefined || fetched.next === each.next) return
            const items = each.add(fetched, parts.attemptOf)
            if (items.length > 0) parts.arrived(items, isJustWritten)
          },
          wants: (partition) => parts.wants() && progress.get(partition)?.hasRoom === true,
          async outOfRange(partition) {
            const first = (await parts.earliest())[partition] ?? 0
            const { next: wanted } = progress.get(partition)!
            const why = first > wanted ? 'they were removed before the group had read them' : 'the topic was made anew'
            lose([partition], new Error(`offset ${wanted} of partition ${partition} does not exist: ${why}`))
            parts.cut(first > wanted ? first - wanted : null, why)
            const fresh = new Progress(partition, { offset: first, metadata: '' })
            fresh.dirty = true
            progress.set(partition, fresh)
            return first
          },
          lost: (cause) => lose([...progress.keys()], cause),
          topicMissing: parts.topicMissing,
          failing: parts.failing,
        },
      )
    },
    wake: () => member?.wake(),
    async stop() {
      stopped = true
      exact = true
      for (const each of progress.values()) {
        each.frozen = true
        each.dirty = true
      }
      // Whoever settled has waited for its own commit; this one would wait for others to drain while the group changes.
      await within(clock, lastCommitMs, commit().catch(parts.failing))
      for (const each of progress.values()) each.live = false
      progress.clear()
      const leaving = member
      member = undefined
      await leaving?.leave()
    },
  }
}
