import { crashPoint, payloadBytes, type RelayTarget, type TransportSupport } from '@evt/core'
import type { Lease, OutboxRow, OutboxStore, Position } from './outbox-store.ts'
import { type Problems, publishRows } from './publish-rows.ts'
import { PublishedRows } from './published-rows.ts'
import { RestingKeys } from './resting-keys.ts'
import { silence } from './silence.ts'

export interface CourierParts {
  readonly store: OutboxStore<never>
  readonly transport: string
  readonly supports: Pick<TransportSupport, 'publishOrder' | 'confirms'>
  readonly target: RelayTarget
  readonly batch: number
  readonly onRefused: 'park' | 'block'
  /** The lead, or undefined where nothing may be published now. */
  lead(): Lease | undefined
  /** It could take another burst. */
  onReady(): void
}

const maxReadBytes = 8 * 1_024 * 1_024
/** Rows whose transport confirms only when handled are published one per call, so many at a time. */
const settledWindow = 512
/** After so many calls in a row of which nothing was accepted, the transport is taken to be out of reach. */
const hopelessCalls = 3
const maxResting = 10_000

/** Carries the rows of one transport, burst by burst. What one transport does holds up no other one. */
export class Courier {
  readonly transport: string
  readonly #parts: CourierParts
  readonly #rows: PublishedRows
  readonly #resting: RestingKeys
  #wanted: Position | undefined
  #last: Position | undefined
  #running: Promise<void> | undefined
  #hopeless = false
  #failedCalls = 0
  #stopping = false
  #waiting: (() => void)[] = []
  #askedMs: number | undefined
  /** The same of the store, which another connection may answer about the lead. */
  #storeAskedMs: number | undefined
  #failing: unknown
  published = 0

  constructor(parts: CourierParts) {
    this.#parts = parts
    this.transport = parts.transport
    this.#rows = new PublishedRows((positions) => parts.store.delete(positions))
    this.#resting = new RestingKeys(parts.target.clock, () => {
      if (this.#last !== undefined) this.run(this.#last)
    })
  }
  /** Whether another burst could begin at once. */
  get isReady(): boolean {
    return this.#running === undefined && !this.#hopeless
  }
  /** What is wrong, until a burst ends without a failure. */
  get failing(): unknown {
    const { clock } = this.#parts.target
    const silent = silence(`the transport "${this.transport}"`, this.#askedMs, clock)
    return this.#failing ?? silent ?? silence('the store', this.#storeAskedMs, clock)
  }
  /** Publishes everything up to a position that was fixed before: now, after the burst under way, or after a rest. */
  run(upTo: Position): void {
    this.#wanted = upTo
    this.#last = upTo
    if (this.#stopping) return
    this.#running ??= this.#runAll().finally(() => {
      this.#running = undefined
      this.#changed()
      if (!this.#stopping) this.#parts.onReady()
    })
  }
  /** Resolves when it rests or has nothing to do, and nothing is under way any more. */
  async quiet(isOver: () => boolean): Promise<void> {
    while (!isOver() && (this.#running !== undefined || this.#rows.underWay > 0)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }
  /** Wakes whoever waits, so that they look whether it is over. */
  nudge(): void {
    this.#changed()
  }
  /** Begins nothing more; awaits the calls under way, unless told that waiting is over. */
  async stop(isOver: () => boolean = () => false): Promise<void> {
    this.#stopping = true
    this.#resting.stop()
    this.#changed()
    while (this.#running !== undefined && !isOver()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    if (!isOver()) await this.#rows.drained()
  }
  resume(): void {
    this.#stopping = false
    this.#hopeless = false
  }

  async #runAll(): Promise<void> {
    while (this.#wanted !== undefined && this.#mayPublish()) {
      if (this.#resting.wakeUp()) this.#hopeless = false
      if (this.#hopeless) return
      const upTo = this.#wanted
      this.#wanted = undefined
      try {
        await this.#burst(upTo)
        await this.#fromStore(this.#rows.drained())
        if (this.#resting.size > 0) continue
        this.#failing = undefined
        this.#resting.calm()
      } catch (error) {
        this.#report(error)
        this.#giveUp()
      }
    }
  }
  async #fromStore<Answer>(asked: Promise<Answer>): Promise<Answer> {
    this.#storeAskedMs = this.#parts.target.clock.monotonicMs()
    try {
      return await asked
    } finally {
      this.#storeAskedMs = undefined
    }
  }
  /** Reads everything up to a fixed position from the start, in order. The next page is read while one is published. */
  async #burst(upTo: Position): Promise<void> {
    this.#failedCalls = 0
    const known = this.#rows.known()
    let reading = this.#read(undefined, upTo)
    for (;;) {
      const page = await reading
      const next = page.next
      if (next !== undefined) {
        reading = this.#read(next, upTo)
        reading.catch(() => undefined)
      }
      const due = known.size === 0 ? page.rows : page.rows.filter((row) => !known.has(row.position))
      if (this.#parts.supports.confirms === 'settled') await this.#publishSettled(due)
      else await this.#publishAccepted(due)
      if (next === undefined) return
      if (!this.#mayPublish() || this.#hopeless) {
        // Its answer will not be looked at.
        await reading.catch(() => undefined)
        return
      }
    }
  }
  async #read(
    after: Position | undefined,
    upTo: Position,
  ): Promise<{ rows: readonly OutboxRow[]; next: Position | undefined }> {
    const { store, transport, batch: limit } = this.#parts
    const rows = await this.#fromStore(
      store.read({
        transport: { only: transport },
        after,
        upTo,
        skipKeys: this.#resting.skipKeys,
        limit,
        maxBytes: maxReadBytes,
      }),
    )
    const last = rows.at(-1)?.position
    const isEnd = last === upTo || (rows.length < limit && bytesOf(rows) < maxReadBytes)
    return { rows, next: isEnd ? undefined : last }
  }
  async #publishAccepted(due: readonly OutboxRow[]): Promise<void> {
    // Where a batch may be accepted in parts, a key's next message may only follow once the one before is known to be there.
    const wholeBatches = this.#parts.supports.publishOrder === 'prefix' && this.#parts.onRefused === 'park'
    let rest = this.#awake(due)
    while (rest.length > 0 && !this.#hopeless) {
      if (!this.#mayPublish()) return
      const now = wholeBatches ? rest : firstOfEachKey(rest)
      this.#askedMs = this.#parts.target.clock.monotonicMs()
      const problems = await publishRows(this.#parts, now).finally(() => {
        this.#askedMs = undefined
      })
      this.#countCall(now, problems, hopelessCalls)
      await this.#settle(now, problems)
      if (wholeBatches) return
      const chosen = new Set(now)
      rest = this.#awake(rest.filter((row) => !chosen.has(row)))
    }
  }
  #awake(rows: readonly OutboxRow[]): readonly OutboxRow[] {
    return this.#resting.size === 0 ? rows : rows.filter((row) => !this.#resting.has(row))
  }
  /** The transport keeps the order of calls; one slow group must not keep a key from all the others. */
  async #publishSettled(due: readonly OutboxRow[]): Promise<void> {
    for (const row of due) {
      while (this.#rows.underWay >= settledWindow && this.#mayPublish()) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
      if (!this.#mayPublish() || this.#hopeless) return
      if (this.#resting.has(row)) continue
      this.#rows.begin(row.position)
      void this.#publishOne(row)
    }
  }
  async #publishOne(row: OutboxRow): Promise<void> {
    try {
      const problems = await publishRows(this.#parts, [row])
      this.#countCall([row], problems, settledWindow)
      await this.#settle([row], problems)
    } catch (error) {
      this.#report(error)
      this.#resting.add(row)
    } finally {
      this.#rows.end(row.position)
      this.#changed()
    }
  }
  /** Acts on what became of rows. */
  async #settle(rows: readonly OutboxRow[], problems: Problems): Promise<void> {
    const accepted: Position[] = []
    const refused: { position: Position; reason: string }[] = []
    for (const row of rows) {
      const problem = problems.get(row)
      if (problem === undefined) accepted.push(row.position)
      else if (problem.status === 'refused' && this.#parts.onRefused === 'park') {
        refused.push({ position: row.position, reason: reasonOf(problem.error) })
      } else {
        this.#report(problem.error)
        this.#resting.add(row)
      }
    }
    this.published += accepted.length
    if (accepted.length > 0) this.#rows.remove(accepted)
    const lease = this.#parts.lead()
    if (refused.length === 0 || lease === undefined) return
    crashPoint('outbox.refused')
    if (await this.#parts.store.park(lease, refused)) {
      crashPoint('outbox.parked')
      const { store, target, transport } = this.#parts
      target.logger.error(
        { outbox: store.name, transport, rows: refused.length, reason: refused[0]!.reason },
        'refused messages were put aside',
      )
    }
  }
  #countCall(rows: readonly OutboxRow[], problems: Problems, limit: number): void {
    const isFailed = rows.every((row) => problems.get(row)?.status === 'failed')
    this.#failedCalls = isFailed ? this.#failedCalls + 1 : 0
    if (this.#failedCalls >= limit || this.#resting.size > maxResting) this.#giveUp()
  }
  /** Leaves the transport alone until the rest is over. */
  #giveUp(): void {
    this.#hopeless = true
    this.#resting.begin()
  }
  #mayPublish(): boolean {
    return !this.#stopping && this.#parts.lead() !== undefined
  }
  #report(error: unknown): void {
    const { store, target, transport } = this.#parts
    if (this.#failing === undefined)
      target.logger.warn({ outbox: store.name, transport, err: error }, 'the relay failed')
    this.#failing = error
  }
  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

function firstOfEachKey(rows: readonly OutboxRow[]): readonly OutboxRow[] {
  const seen = new Set<string>()
  return rows.filter(({ key }) => {
    if (key === undefined) return true
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

function bytesOf(rows: readonly OutboxRow[]): number {
  return rows.reduce((sum, { message }) => sum + (message === undefined ? 0 : payloadBytes(message)), 0)
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 2_048)
}
