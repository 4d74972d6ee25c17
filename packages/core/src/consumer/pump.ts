import { AsyncResource } from 'node:async_hooks'
import type { Clock, Timer } from '../clock.ts'
import { DeadlineList } from '../deadline-list.ts'
import { evtError } from '../errors.ts'
import { type LocalConsumer, type LocalReceiver, localConsumer } from '../memory/local.ts'
import type { MemoryItem } from '../memory/memory-item.ts'
import type { Outcome } from '../outcome.ts'
import type { Consumer, Room, Settlement, TransportDelivery, TransportSupport } from '../transport.ts'
import { Entry, errorRecord } from './entry.ts'
import { type Gate, openGate } from './gate.ts'
import { Lanes } from './lanes.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { ReadWatch } from './read-watch.ts'
import type { ConsumerSettings } from './settings.ts'
import { Settler } from './settler.ts'
import type { Slots } from './slots.ts'
import type { SubscriptionStats } from './stats.ts'

/** What a pump asks of the subscription it works for. `handle` never throws, `handleBatch` never rejects. */
export interface PumpWork {
  readonly consumer: string
  /** Undefined where there is no order to keep. */
  readonly laneOf: ((received: TransportDelivery) => string | undefined) | undefined
  /** Calls `end` once, also before it returns. */
  handle(entry: Entry, end: (entry: Entry, outcome: Outcome) => void): void
  handleBatch(entries: readonly Entry[]): Promise<readonly Outcome[]>
  /** Keeps a rejected message, or says that the transport must. A rejection means try later. */
  deadLetter(entry: Entry, error: unknown): Promise<'kept' | 'transport' | 'dropped'>
  report(error: unknown, during: string): void
}
export interface PumpParts {
  readonly consumer: Consumer
  readonly support: TransportSupport
  readonly settings: ConsumerSettings
  readonly gate: Gate
  readonly slots: Slots
  readonly clock: Clock
  readonly stats: SubscriptionStats
  readonly work: PumpWork
}

const deadLetterRetryMs = 1_000
const abortGraceMs = 1_000

/** Moves messages from one transport consumer through the handler and back to their settlement. */
export class Pump implements LocalReceiver {
  readonly settler: Settler
  readonly #parts: PumpParts
  readonly #lanes = new Lanes()
  readonly #tracked = new Map<TransportDelivery, Entry>()
  readonly #running: DeadlineList<Entry>
  readonly #leases: LeaseKeeper
  /** The asynchronous context of whoever subscribed. */
  readonly #scope = new AsyncResource('evt.Pump')
  /** Where messages come straight from a transport of this process. */
  readonly #local: LocalConsumer | undefined
  readonly #end = (entry: Entry, outcome: Outcome): void => this.#ended(entry, outcome)
  readonly #reads: ReadWatch
  #waiting = 0
  #waitingBytes = 0
  #held = 0
  /** Of those running. */
  #direct = 0
  #starting = false
  #suspectRunning = false
  #suspects: Entry[] = []
  #lingerTimer: Timer | undefined
  #gateTimer: Timer | undefined
  #lingered = false
  #paused = false
  #stopping = false
  #loop: Promise<void> | undefined
  #wakeLoop: (() => void) | undefined
  #idle: (() => void)[] = []
  /** Handlers past their timeout that have not ended. */
  overdue = 0
  /** The last failure to read, until one succeeds. */
  readFailing: unknown

  constructor(parts: PumpParts) {
    this.#parts = parts
    const { clock, consumer, settings, support, work } = parts
    this.settler = new Settler(consumer, clock, (error) => work.report(error, 'settle'))
    this.#running = new DeadlineList(clock, settings.timeoutMs, (entry) => this.#timeOut(entry))
    const isPlain = settings.batch === undefined && parts.gate === openGate && work.laneOf === undefined
    this.#local = isPlain ? localConsumer(consumer) : undefined
    this.#reads = new ReadWatch(clock, (waitMs) => {
      const message = `A read of ${work.consumer} does not return, ${Math.round(waitMs)} ms after it began`
      this.readFailing = evtError('EVT_READ_STUCK', message, { consumer: work.consumer, waitMs })
      work.report(this.readFailing, 'read')
    })
    this.#leases = new LeaseKeeper({
      clock,
      consumer,
      everyMs: support.lease === 'none' ? undefined : settings.leaseMs / 3,
      held: () => this.#tracked.keys(),
      lost: (delivery) => this.#lose(delivery),
      report: (error) => work.report(error, 'extend'),
    })
  }
  start(): void {
    this.#parts.slots.onFree(() => this.#startReady())
    if (this.#local === undefined) this.#loop = this.#readLoop()
    else this.#local.attach(this)
  }
  receive(): void {
    // A publisher calls this: its ambient transaction and its like are none of the handler's.
    if (!this.#paused && !this.#starting) this.#scope.runInAsyncScope(this.#startReady, this)
  }
  pause(): void {
    this.#paused = true
  }
  resume(): void {
    this.#paused = false
    this.#startReady()
  }
  get inFlight(): number {
    return this.#running.size
  }
  get waiting(): number {
    return this.#waiting
  }
  get held(): number {
    return this.#held
  }

  async #readLoop(): Promise<void> {
    const { consumer, clock, work } = this.#parts
    let failures = 0
    while (!this.#stopping) {
      const room = this.#room()
      if (room === undefined) {
        await new Promise<void>((resolve) => {
          this.#wakeLoop = resolve
        })
        continue
      }
      try {
        const received = await consumer.read(room, this.#reads.begin())
        this.#reads.end()
        failures = 0
        this.readFailing = undefined
        for (const delivery of received) this.#admit(delivery)
        this.#startReady()
      } catch (error) {
        this.#reads.end()
        if (this.#stopping) return
        failures += 1
        if (failures === 1) work.report(error, 'read')
        this.readFailing = error
        const waitMs = Math.min(10_000, 50 * 2 ** Math.min(failures, 10))
        await new Promise<void>((resolve) => {
          this.#wakeLoop = resolve
          clock.startTimer(resolve, waitMs)
        })
      }
    }
  }
  /** What may be read now, or undefined where nothing may. A refill waits until a quarter of the prefetch is free. */
  #room(): Room | undefined {
    const { settings, gate } = this.#parts
    if (this.#paused) return undefined
    const unstarted = this.#waiting + this.#held
    const permits = gate.permits()
    const messages = Math.min(settings.prefetch - unstarted, permits - this.#waiting)
    const bytes = settings.prefetchBytes - this.#waitingBytes
    const unsettled = this.#tracked.size - unstarted - (this.#running.size - this.#direct)
    if (permits < 1) this.#awaitGate()
    if (messages < 1 || bytes < 1 || unsettled > settings.prefetch + settings.concurrency) return undefined
    if (unstarted > 0 && messages * 4 < settings.prefetch && permits === Number.POSITIVE_INFINITY) return undefined
    return { messages, bytes }
  }
  #admit(received: TransportDelivery): void {
    const { stats, settings, work } = this.#parts
    const entry = new Entry(received, received.payload.byteLength, work.laneOf?.(received))
    stats.received += 1
    this.#tracked.set(received, entry)
    this.#leases.wake()
    this.#waiting += 1
    this.#waitingBytes += entry.bytes
    if (settings.latestOnly && entry.lane !== undefined) {
      for (const older of this.#lanes.supersede(entry.lane)) {
        stats.superseded += 1
        this.#unwait(older)
        this.#settle(older, { delivery: older.received, as: 'ack' })
      }
    }
    this.#lanes.admit(entry)
  }
  #unwait(entry: Entry): void {
    this.#waiting -= 1
    this.#waitingBytes -= entry.bytes
  }

  #startReady(): void {
    // A handler that ends or publishes at once comes back here: the loop it came from goes on.
    if (this.#starting) return
    this.#starting = true
    try {
      if (this.#parts.settings.batch !== undefined) this.#startBatches()
      else {
        this.#startSingles()
        if (this.#local !== undefined) this.#startDirect(this.#local)
      }
    } finally {
      this.#starting = false
    }
    this.#wakeLoop?.()
  }
  #startSingles(): void {
    const { gate, slots } = this.#parts
    const { ready } = this.#lanes
    while (slots.free && ready.size > 0 && !this.#paused && !this.#stopping) {
      if (gate.permits() < 1) return this.#awaitGate()
      const entry = ready.shift()!
      if (entry.state !== 'waiting' || this.#isPoison(entry)) continue
      if (entry.received.suspect) {
        if (this.#suspectRunning) {
          this.#suspects.push(entry)
          continue
        }
        this.#suspectRunning = true
      }
      this.#begin(entry)
      slots.take()
      gate.started()
      if (entry.received.suspect) void this.#recordStart(entry).then(() => this.#parts.work.handle(entry, this.#end))
      else this.#parts.work.handle(entry, this.#end)
    }
  }
  /** Runs messages as they are in this process, as long as what failed before them leaves room. */
  #startDirect(local: LocalConsumer): void {
    const { slots, stats, work } = this.#parts
    while (slots.free && !this.#paused && !this.#stopping) {
      if (this.#tracked.size > 0 && (this.#lanes.ready.size > 0 || this.#room() === undefined)) return
      const item = local.next()
      if (item === undefined) return
      if (item.suspect) {
        this.#admit(local.lease(item))
        this.#startSingles()
        continue
      }
      stats.received += 1
      const entry = new Entry(item, item.message.bytes, undefined)
      entry.isDirect = true
      entry.state = 'running'
      this.#direct += 1
      this.#running.add(entry)
      slots.take()
      work.handle(entry, this.#end)
    }
  }
  #startBatches(): void {
    const { settings, gate, clock, slots } = this.#parts
    const { maxItems, maxBytes, lingerMs } = settings.batch!
    const { ready } = this.#lanes
    while (slots.free && ready.size > 0 && !this.#paused && !this.#stopping) {
      const full = ready.size >= maxItems || this.#waitingBytes >= maxBytes || this.#waiting >= settings.prefetch
      if (!full && !this.#lingered) {
        this.#lingerTimer ??= clock.startTimer(() => {
          this.#lingerTimer = undefined
          this.#lingered = true
          this.#startReady()
        }, lingerMs)
        return
      }
      if (gate.permits() < 1) return this.#awaitGate()
      const entries: Entry[] = []
      let bytes = 0
      while (entries.length < maxItems && ready.size > 0) {
        const entry = ready.peek()!
        const { suspect } = entry.received
        // A suspect goes alone, so that it takes no innocent with it.
        if (entries.length > 0 && (suspect || bytes + entry.bytes > maxBytes)) break
        ready.shift()
        if (entry.state !== 'waiting' || this.#isPoison(entry)) continue
        if (suspect && this.#suspectRunning) {
          this.#suspects.push(entry)
          continue
        }
        this.#begin(entry)
        entries.push(entry)
        bytes += entry.bytes
        if (!suspect) continue
        this.#suspectRunning = true
        break
      }
      this.#lingered = false
      this.#lingerTimer?.cancel()
      this.#lingerTimer = undefined
      if (entries.length === 0) return
      slots.take()
      gate.started()
      void this.#runBatch(entries)
    }
  }
  #begin(entry: Entry): void {
    this.#unwait(entry)
    entry.state = 'running'
    this.#running.add(entry)
  }
  #ended(entry: Entry, outcome: Outcome): void {
    if (entry.received.suspect && !entry.isDirect) this.#nextSuspect()
    this.#parts.slots.give()
    if (entry.isDirect && outcome.status === 'ack' && !entry.timedOut) this.#acknowledge(entry)
    else {
      if (entry.isDirect) this.#lease(entry)
      this.#finish(entry, outcome)
    }
    this.#startReady()
  }
  #acknowledge(entry: Entry): void {
    this.#direct -= 1
    this.#running.remove(entry)
    entry.state = 'gone'
    this.#parts.stats.acknowledged += 1
    this.#local!.acknowledge(entry.received as MemoryItem)
    if (this.#idle.length > 0) this.#tellIdle()
  }
  /** A message that ran straight from the transport goes on like one that was read. */
  #lease(entry: Entry): void {
    this.#direct -= 1
    entry.isDirect = false
    entry.received = this.#local!.lease(entry.received as MemoryItem)
    this.#tracked.set(entry.received, entry)
    this.#leases.wake()
  }
  async #runBatch(entries: readonly Entry[]): Promise<void> {
    const { suspect } = entries[0]!.received
    if (suspect) await this.#recordStart(entries[0]!)
    const outcomes = await this.#parts.work.handleBatch(entries)
    if (suspect) this.#nextSuspect()
    this.#parts.slots.give()
    for (let index = 0; index < entries.length; index += 1) this.#finish(entries[index]!, outcomes[index]!)
    this.#startReady()
  }
  /** A message that may kill its process has its start recorded first, so that its attempts are counted all the same. */
  #recordStart(entry: Entry): Promise<void> {
    return new Promise((resolve) => this.settler.add({ delivery: entry.received, as: 'started' }, () => resolve()))
  }

  #nextSuspect(): void {
    this.#suspectRunning = false
    let next = this.#suspects.shift()
    // One that was lost or given back meanwhile must not keep the others waiting.
    while (next !== undefined && next.state !== 'waiting') next = this.#suspects.shift()
    if (next !== undefined) this.#lanes.ready.unshift([next])
  }
  /** One whose runs all ended, the last with its process, is dead-lettered instead of taking down the next. */
  #isPoison(entry: Entry): boolean {
    const { settings, support, work } = this.#parts
    const { suspect } = entry.received
    const { attempts } = settings.retry
    if (!suspect || entry.attempt <= attempts || support.attempts === 'deliveries') return false
    this.#unwait(entry)
    entry.attempt -= 1
    const message = `${work.consumer} ended ${entry.attempt} times without settling this message, the last time with its process`
    void this.#deadLetter(entry, evtError('EVT_POISON', message, { consumer: work.consumer, attempts: entry.attempt }))
    return true
  }

  #finish(entry: Entry, decided: Outcome): void {
    const { gate, stats } = this.#parts
    if (!this.#running.remove(entry)) return
    if (entry.timedOut) this.overdue -= 1
    if (entry.lost) {
      gate.finished('neither')
      return this.#forget(entry)
    }
    const outcome = this.#afterAbort(entry, decided)
    if (outcome === 'release') {
      gate.finished('neither')
      stats.released += 1
      return this.#settle(entry, { delivery: entry.received, as: 'release', attempt: entry.attempt })
    }
    gate.finished(endOf(outcome))
    if (outcome.status === 'ack') {
      stats.acknowledged += 1
      this.#settle(entry, { delivery: entry.received, as: 'ack' })
    } else if (outcome.status === 'retry') this.#retry(entry, outcome)
    else void this.#deadLetter(entry, outcome.error)
  }
  #afterAbort(entry: Entry, outcome: Outcome): Outcome | 'release' {
    const { settings, work } = this.#parts
    if (entry.timedOut) {
      // A late failure has been told of the timeout already; a late success comes from around the handler.
      if (outcome.status !== 'ack') return outcome
      const { timeoutMs } = settings
      const message = `The handler of ${work.consumer} did not end within ${timeoutMs} ms`
      const error = evtError(
        'EVT_HANDLER_TIMEOUT',
        message,
        { consumer: work.consumer, timeoutMs },
        { retryable: true },
      )
      return settings.retry.decide(error, entry.attempt)
    }
    // A handler that stopped because we are closing has not failed.
    const aborted = entry.delivery?.abortReason !== undefined
    if (aborted && outcome.status === 'retry') return 'release'
    return outcome
  }
  #retry(entry: Entry, outcome: Outcome & { readonly status: 'retry' }): void {
    const { stats, clock, support, settings } = this.#parts
    stats.retried += 1
    if (outcome.counted) {
      entry.history ??= []
      entry.history.push(errorRecord(outcome.error, entry.attempt, clock.nowMs()))
      entry.attempt += 1
    }
    const { afterMs } = outcome
    const transportDelays = support.delay !== false && afterMs <= support.delay.maxMs
    if (entry.lane === undefined && transportDelays && afterMs > settings.holdMs) {
      return this.#settle(entry, { delivery: entry.received, as: 'retry', attempt: entry.attempt, afterMs })
    }
    if (this.#stopping) return this.#letGo(entry, afterMs)
    entry.state = 'held'
    entry.dueMs = clock.monotonicMs() + afterMs
    this.#held += 1
    entry.timer = clock.startTimer(() => this.#unhold(entry), afterMs)
  }
  #unhold(entry: Entry): void {
    if (entry.state !== 'held') return
    this.#held -= 1
    this.#waiting += 1
    this.#waitingBytes += entry.bytes
    entry.state = 'waiting'
    entry.delivery = undefined
    entry.timedOut = false
    this.#lanes.ready.push(entry)
    this.#startReady()
  }
  async #deadLetter(entry: Entry, error: unknown): Promise<void> {
    const { work, stats, clock } = this.#parts
    const history = [...(entry.history ?? []), errorRecord(error, entry.attempt, clock.nowMs())]
    entry.state = 'settling'
    try {
      entry.history = history
      const kept = await work.deadLetter(entry, error)
      if (kept === 'dropped') stats.dropped += 1
      else stats.deadLettered += 1
      const reason = history.at(-1)!.message
      this.#settle(
        entry,
        kept === 'transport'
          ? { delivery: entry.received, as: 'deadLetter', reason, history }
          : { delivery: entry.received, as: 'ack' },
      )
    } catch (storeError) {
      entry.history = history.slice(0, -1)
      work.report(storeError, 'dead-letter')
      this.#retry(entry, { status: 'retry', afterMs: deadLetterRetryMs, error: storeError, counted: false })
    }
    this.#startReady()
  }
  #settle(entry: Entry, settlement: Settlement): void {
    entry.state = 'settling'
    // The next of the key may go: its predecessor is decided. One given back keeps its lane until it has gone.
    if (settlement.as !== 'release') this.#lanes.advance(entry)
    this.settler.add(settlement, (result) => {
      if (result === 'refused') this.#parts.stats.lost += 1
      this.#forget(entry)
    })
  }
  /** Entries leave here, and with the last one whoever waits for the pump to run empty. */
  #forget(entry: Entry): void {
    if (entry.state === 'gone') return
    entry.state = 'gone'
    this.#tracked.delete(entry.received)
    this.#lanes.advance(entry)
    this.#tellIdle()
    this.#wakeLoop?.()
  }
  #tellIdle(): void {
    if (this.#tracked.size + this.#direct === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
  #timeOut(entry: Entry): void {
    const { stats, work, settings } = this.#parts
    stats.timedOut += 1
    this.overdue += 1
    entry.timedOut = true
    const error = evtError('EVT_HANDLER_TIMEOUT', `Timed out after ${settings.timeoutMs} ms`, {
      consumer: work.consumer,
      timeoutMs: settings.timeoutMs,
    })
    entry.delivery?.abort(error)
  }
  #lose(delivery: TransportDelivery): void {
    const entry = this.#tracked.get(delivery)
    if (entry === undefined || entry.lost || entry.state === 'settling') return
    this.#parts.stats.lost += 1
    entry.lost = true
    entry.timer?.cancel()
    if (entry.state === 'running') {
      const messageId = entry.delivery?.id ?? entry.received.position
      entry.delivery?.abort(
        evtError('EVT_LEASE_LOST', 'The lease was lost; another consumer may have this message', { messageId }),
      )
      return
    }
    if (entry.state === 'held') this.#held -= 1
    else this.#unwait(entry)
    this.#forget(entry)
    this.#startReady()
  }
  /** Too late for these partitions: what runs there is aborted, what waits is forgotten. */
  lose(partitions: readonly number[] | 'all'): void {
    for (const [delivery] of [...this.#tracked]) {
      if (partitions === 'all' || partitions.includes(delivery.partition)) this.#lose(delivery)
    }
  }
  #awaitGate(): void {
    this.#gateTimer ??= this.#parts.clock.startTimer(() => {
      this.#gateTimer = undefined
      this.#startReady()
    }, this.#parts.gate.waitMs())
  }

  /** Gives back what has not started, of some partitions or all. */
  #releaseUnstarted(partitions?: readonly number[]): void {
    const nowMs = this.#parts.clock.monotonicMs()
    for (const entry of [...this.#tracked.values()]) {
      if (partitions !== undefined && !partitions.includes(entry.received.partition)) continue
      if (entry.state === 'held') {
        entry.timer?.cancel()
        this.#held -= 1
        this.#letGo(entry, Math.max(0, entry.dueMs - nowMs))
      } else if (entry.state === 'waiting') {
        this.#unwait(entry)
        this.#letGo(entry, 0)
      }
    }
  }
  #letGo(entry: Entry, remainingMs: number): void {
    const { support, stats } = this.#parts
    const { received: delivery, attempt } = entry
    if (remainingMs > 0 && entry.lane === undefined && support.delay !== false) {
      return this.#settle(entry, {
        delivery,
        as: 'retry',
        attempt,
        afterMs: Math.min(remainingMs, support.delay.maxMs),
      })
    }
    stats.released += 1
    this.#settle(entry, { delivery, as: 'release', attempt })
  }
  /** Settles or gives back everything of these partitions, within the deadline. */
  async drain(partitions: readonly number[], deadlineMs: number): Promise<void> {
    this.#releaseUnstarted(partitions)
    const running = () => this.#running.items().some((entry) => partitions.includes(entry.received.partition))
    await this.#within(deadlineMs, async () => {
      while (running()) await new Promise<void>((resolve) => this.#parts.clock.startTimer(resolve, 5))
      await this.settler.drained()
    })
  }
  /** Stops reading, lets handlers finish, aborts them at the deadline, gives the rest back, closes the consumer. */
  async close(deadlineMs: number): Promise<void> {
    const { consumer, work } = this.#parts
    this.#stopping = true
    this.#local?.detach(this)
    this.#reads.close()
    this.#wakeLoop?.()
    this.#lingerTimer?.cancel()
    this.#gateTimer?.cancel()
    await this.#within(abortGraceMs, () => this.#loop ?? Promise.resolve())
    this.#releaseUnstarted()
    const empty = () => this.#whenEmpty()
    if (!(await this.#within(deadlineMs, empty))) {
      const reason = evtError('EVT_SHUTDOWN', 'The subscription is closing', { consumer: work.consumer })
      for (const entry of this.#running.items()) entry.delivery?.abort(reason)
      await this.#within(abortGraceMs, empty)
    }
    this.settler.abandon()
    for (const entry of this.#running.items()) {
      if (entry.isDirect) this.#lease(entry)
      entry.lost = true
      entry.delivery?.abort(evtError('EVT_SHUTDOWN', 'The subscription has closed', { consumer: work.consumer }))
    }
    this.#leases.stop()
    this.#running.stop()
    await consumer.close()
  }
  async #whenEmpty(): Promise<void> {
    while (this.#tracked.size + this.#direct > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }
  async #within(limitMs: number, work: () => Promise<void>): Promise<boolean> {
    let timer: Timer | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = this.#parts.clock.startTimer(() => resolve(false), limitMs)
    })
    const inTime = await Promise.race([work().then(() => true), late])
    timer?.cancel()
    return inTime
  }
}

/** Whether the handler is to blame. */
function endOf(outcome: Outcome): 'succeeded' | 'failed' | 'neither' {
  if (outcome.status === 'ack') return 'succeeded'
  const failed = outcome.status === 'retry' ? outcome.counted : outcome.exhausted
  return failed === true ? 'failed' : 'neither'
}
