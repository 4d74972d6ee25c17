import { AsyncResource } from 'node:async_hooks'
import type { Timer } from '../clock.ts'
import { receivedBytes } from '../encoded-message.ts'
import { evtError } from '../errors.ts'
import { type LocalConsumer, type LocalReceiver, localConsumer } from '../memory/local.ts'
import type { MemoryItem } from '../memory/memory-item.ts'
import type { Outcome } from '../outcome.ts'
import type { Room, TransportDelivery } from '../transport.ts'
import { within } from '../within.ts'
import { BatchRuns } from './batch-runs.ts'
import { DirectRuns } from './direct-runs.ts'
import { Endings } from './endings.ts'
import { Entry } from './entry.ts'
import { openGate } from './gate.ts'
import type { Hindrance } from './hindrance.ts'
import { Holdings } from './holdings.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import type { PumpParts, Starting } from './pump-parts.ts'
import { Reader } from './reader.ts'
import type { Settler } from './settler.ts'
import { Suspects } from './suspects.ts'

const abortGraceMs = 1_000
const consumerGraceMs = 10_000
const drainPollMs = 5

/** Moves messages from one transport consumer through the handler and back to their settlement. */
export class Pump implements LocalReceiver, Starting {
  readonly #parts: PumpParts
  readonly #holdings: Holdings
  readonly #reader: Reader
  readonly #leases: LeaseKeeper
  readonly #endings: Endings
  readonly #suspects: Suspects
  readonly #batches: BatchRuns | undefined
  /** Where messages come straight from a transport of this process. */
  readonly #local: LocalConsumer | undefined
  readonly #direct: DirectRuns | undefined
  /** The asynchronous context of whoever subscribed. */
  readonly #scope = new AsyncResource('evt.Pump')
  readonly #end = (entry: Entry, outcome: Outcome): void => this.#ended(entry, outcome)
  #gateTimer: Timer | undefined
  #starting = false
  #paused = false
  #stopping = false

  constructor(parts: PumpParts) {
    this.#parts = parts
    const { clock, consumer, settings, support, work } = parts
    this.#holdings = new Holdings(clock, settings.timeoutMs, (entry) => this.#timeOut(entry))
    this.#endings = new Endings(parts, this.#holdings, {
      startReady: () => this.startReady(),
      onForgotten: () => this.#reader.wake(),
    })
    this.#suspects = new Suspects(parts, this.#holdings, this.#endings)
    if (settings.batch !== undefined)
      this.#batches = new BatchRuns(parts, this.#holdings, this.#suspects, this.#endings, this)
    else if (parts.gate === openGate) this.#local = localConsumer(consumer)
    if (this.#local !== undefined) this.#direct = this.#directRuns(this.#local)
    this.#reader = new Reader(
      parts,
      () => this.#room(),
      (received) => {
        for (const delivery of received) this.#admit(delivery)
        // A read that returns only when everything else has been given back.
        if (this.#stopping) this.#endings.releaseUnstarted()
        this.startReady()
      },
    )
    this.#leases = new LeaseKeeper({
      clock,
      consumer,
      everyMs: support.lease === 'none' ? undefined : settings.leaseMs / 3,
      leaseMs: support.lease === 'message' ? settings.leaseMs : undefined,
      held: () => this.#holdings.leased.inOrder().map((entry) => entry.received),
      lost: (deliveries) => {
        const lost = new Set(deliveries)
        this.#lose((entry) => lost.has(entry.received))
      },
      // What runs is told, and is settled all the same: the settlement tells whether somebody else has the message.
      ended: (deliveries) => {
        const ended = new Set(deliveries)
        this.#lose((entry) => entry.state !== 'running' && ended.has(entry.received))
        for (const entry of this.#holdings.running.items()) if (ended.has(entry.received)) abortAsLost(entry)
      },
      report: (error) => work.report(error, 'extend'),
    })
  }
  #directRuns(local: LocalConsumer): DirectRuns {
    return new DirectRuns(local, this.#parts, this.#holdings, {
      mayStart: () => this.mayStart(),
      awaitGate: () => this.awaitGate(),
      startReady: () => this.startReady(),
      hasRoom: () => this.#room() !== undefined,
      end: this.#end,
      admit: (item) => {
        this.#admit(local.lease(item))
        this.#startSingles()
      },
    })
  }
  start(): void {
    this.#parts.slots.onFree(() => this.startReady())
    if (this.#local === undefined) this.#reader.start()
    else this.#local.attach(this)
  }
  receive(): void {
    // A publisher calls this: its ambient transaction and its like are none of the handler's.
    if (!this.#starting && this.mayStart()) this.#scope.runInAsyncScope(this.startReady, this)
  }
  running(): readonly MemoryItem[] {
    return this.#direct?.running() ?? []
  }
  pause(): void {
    this.#paused = true
  }
  resume(): void {
    this.#paused = false
    this.startReady()
  }
  get hindrance(): Hindrance {
    return this.#endings.hindrance
  }
  get settler(): Settler {
    return this.#endings.settler
  }
  /** The last failure to read, until one succeeds. */
  get readFailing(): unknown {
    return this.#reader.failing
  }
  get inFlight(): number {
    return this.#holdings.running.size
  }
  get waiting(): number {
    return this.#holdings.waiting
  }
  get held(): number {
    return this.#holdings.held
  }
  /** Handlers past their timeout that have not ended. */
  get overdue(): number {
    return this.#holdings.overdue
  }

  /** What may be read now, or undefined where nothing may. A refill waits until a quarter of the prefetch is free. */
  #room(): Room | undefined {
    const { settings, gate } = this.#parts
    if (this.#paused) return undefined
    const { waiting, waitingBytes, held, leased, running, direct } = this.#holdings
    const unstarted = waiting + held
    // One start takes a whole batch.
    const permits = gate.permits() * (settings.batch?.maxItems ?? 1)
    const messages = Math.min(settings.prefetch - unstarted, permits - waiting)
    const bytes = settings.prefetchBytes - waitingBytes
    const unsettled = leased.size - unstarted - (running.size - direct)
    if (permits < 1) this.awaitGate()
    if (messages < 1 || bytes < 1 || unsettled > settings.prefetch + settings.concurrency) return undefined
    if (unstarted > 0 && messages * 4 < settings.prefetch && permits === Number.POSITIVE_INFINITY) return undefined
    return { messages, bytes }
  }
  #admit(received: TransportDelivery): void {
    const { stats, settings, work } = this.#parts
    const key = work.laneOf?.(received)
    const lane = key === undefined ? undefined : this.#holdings.lanes.of(key)
    const entry = new Entry(received, receivedBytes(received), lane)
    stats.received += 1
    this.#holdings.leased.add(entry)
    this.#leases.wake()
    this.#holdings.wait(entry)
    if (settings.latestOnly && lane !== undefined) {
      for (const older of this.#holdings.lanes.supersede(lane)) {
        stats.superseded += 1
        this.#holdings.unwait(older)
        this.#endings.settle(older, { delivery: older.received, as: 'ack' })
      }
    }
    this.#holdings.lanes.admit(entry)
  }

  mayStart(): boolean {
    return this.#parts.slots.free && !this.#paused && !this.#stopping
  }
  startReady(): void {
    // A handler that ends or publishes at once comes back here: the loop it came from goes on.
    if (this.#starting) return
    this.#starting = true
    try {
      if (this.#batches !== undefined) this.#batches.start()
      else {
        this.#startSingles()
        this.#direct?.start()
      }
    } finally {
      this.#starting = false
    }
    this.#reader.wake()
  }
  #startSingles(): void {
    const { gate, slots, work } = this.#parts
    const { ready } = this.#holdings.lanes
    while (ready.size > 0 && this.mayStart()) {
      if (gate.permits() < 1) return this.awaitGate()
      const entry = ready.shift()!
      if (entry.state !== 'waiting' || this.#suspects.isPoison(entry)) continue
      const { suspect } = entry.received
      if (suspect && !this.#suspects.claim(entry)) continue
      this.#holdings.begin(entry)
      slots.take()
      gate.started()
      if (suspect) void this.#startSuspect(entry)
      else work.handle(entry, this.#end)
    }
  }
  async #startSuspect(entry: Entry): Promise<void> {
    if (await this.#suspects.recordStart(entry)) this.#parts.work.handle(entry, this.#end)
    else this.#ended(entry, 'release')
  }
  awaitGate(): void {
    this.#gateTimer ??= this.#parts.clock.startTimer(() => {
      this.#gateTimer = undefined
      this.startReady()
    }, this.#parts.gate.waitMs())
  }
  #ended(entry: Entry, outcome: Outcome | 'release'): void {
    if (entry.received.suspect && !entry.isDirect) this.#suspects.ended()
    this.#parts.slots.give()
    if (entry.isDirect && outcome !== 'release' && outcome.status === 'ack' && !entry.timedOut) {
      this.#direct!.acknowledge(entry)
      if (!this.#direct!.hasNext()) return
    } else {
      this.#leaseDirect(entry)
      this.#parts.gate.finished(this.#endings.finish(entry, outcome))
    }
    this.startReady()
  }
  #leaseDirect(entry: Entry): void {
    if (!entry.isDirect) return
    this.#direct!.lease(entry)
    this.#leases.wake()
  }

  #timeOut(entry: Entry): void {
    const { stats, work, settings } = this.#parts
    stats.timedOut += 1
    this.#holdings.overdue += 1
    entry.timedOut = true
    const error = evtError('EVT_HANDLER_TIMEOUT', `Timed out after ${settings.timeoutMs} ms`, {
      consumer: work.consumer,
      timeoutMs: settings.timeoutMs,
    })
    entry.delivery?.abort(error)
  }
  #lose(isLost: (entry: Entry) => boolean): void {
    // A renewal may find none because the settlement was faster.
    const lost = new Set(this.#holdings.leased.inOrder().filter((entry) => entry.state !== 'settling' && isLost(entry)))
    // What was taken in later must not pass them in their lanes: they come back, and it comes back behind them.
    const lanes = new Set([...lost].map((entry) => entry.lane))
    lanes.delete(undefined)
    if (lanes.size > 0) this.#endings.releaseUnstarted((entry) => lanes.has(entry.lane) && !lost.has(entry))
    for (const entry of lost) this.#loseOne(entry)
  }
  #loseOne(entry: Entry): void {
    if (entry.lost || entry.state === 'gone') return
    this.#parts.stats.lost += 1
    entry.lost = true
    entry.timer?.cancel()
    if (entry.state === 'running') return abortAsLost(entry)
    if (entry.state === 'held') this.#holdings.held -= 1
    else this.#holdings.unwait(entry)
    this.#endings.forget(entry)
    this.startReady()
  }
  /** Too late for these partitions: what runs there is aborted, what waits is forgotten. */
  lose(partitions: readonly number[] | 'all'): void {
    this.#lose(({ received }) => partitions === 'all' || partitions.includes(received.partition))
  }

  /** Settles or gives back everything of these partitions, within the deadline. */
  async drain(partitions: readonly number[], deadlineMs: number): Promise<void> {
    const isTheirs = ({ received }: Entry) => partitions.includes(received.partition)
    const { leased } = this.#holdings
    const { clock } = this.#parts
    const untilMs = clock.monotonicMs() + deadlineMs
    for (;;) {
      // Again each time: what fails meanwhile would wait here for its next attempt.
      this.#endings.releaseUnstarted(isTheirs)
      const leftMs = untilMs - clock.monotonicMs()
      if (leftMs <= 0 || !leased.inOrder().some(isTheirs)) return
      await new Promise<void>((resolve) => clock.startTimer(resolve, Math.min(drainPollMs, leftMs)))
    }
  }
  /** Stops reading, lets handlers finish, aborts them at the deadline, gives the rest back, closes the consumer. */
  async close(deadlineMs: number): Promise<void> {
    const { clock, consumer, work } = this.#parts
    const { running } = this.#holdings
    this.#stopping = true
    this.#endings.isStopping = true
    this.#local?.detach(this)
    const read = this.#reader.stop()
    this.#batches?.stopLingering()
    this.#gateTimer?.cancel()
    await within(clock, abortGraceMs, read)
    this.#endings.releaseUnstarted()
    if (!(await within(clock, deadlineMs, this.#holdings.whenEmpty()))) {
      const reason = evtError('EVT_SHUTDOWN', 'The subscription is closing', { consumer: work.consumer })
      for (const entry of running.items()) entry.delivery?.abort(reason)
      await within(clock, abortGraceMs, this.#holdings.whenEmpty())
    }
    this.settler.abandon()
    const deaf = running.items().length
    if (deaf > 0) {
      const text = `${deaf} handlers go on although their signal was aborted at the deadline of close; their messages come again`
      work.report(new Error(text), 'close')
    }
    for (const entry of running.items()) {
      this.#leaseDirect(entry)
      entry.lost = true
      entry.delivery?.abort(evtError('EVT_SHUTDOWN', 'The subscription has closed', { consumer: work.consumer }))
    }
    this.#leases.stop()
    running.stop()
    if (!(await within(clock, deadlineMs + consumerGraceMs, consumer.close())))
      work.report(new Error('The consumer has not closed in time and is left behind'), 'close')
  }
}

function abortAsLost({ delivery, received }: Entry): void {
  const messageId = delivery?.id ?? received.position
  delivery?.abort(
    evtError('EVT_LEASE_LOST', 'The lease was lost; another consumer may have this message', { messageId }),
  )
}
