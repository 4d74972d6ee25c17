import type { LocalConsumer } from '../memory/local.ts'
import type { MemoryItem } from '../memory/memory-item.ts'
import type { Outcome } from '../outcome.ts'
import { nextTurn, TurnWatch } from '../turns.ts'
import { Entry } from './entry.ts'
import type { Holdings } from './holdings.ts'
import type { PumpParts, Starting } from './pump-parts.ts'

interface DirectHooks extends Starting {
  /** Takes in what must wait here, as if it had been read. */
  admit(item: MemoryItem): void
  /** Whether what has been taken in leaves room for more. */
  hasRoom(): boolean
  end(entry: Entry, outcome: Outcome): void
}

/** Runs messages of a transport of this process as they are, without reads, leases and settlements. */
export class DirectRuns {
  readonly #local: LocalConsumer
  readonly #parts: PumpParts
  readonly #holdings: Holdings
  readonly #pump: DirectHooks
  readonly #end: (entry: Entry, outcome: Outcome) => void
  readonly #turns = new TurnWatch()
  /** Nothing begins before the next turn. */
  #isTurning = false

  constructor(local: LocalConsumer, parts: PumpParts, holdings: Holdings, pump: DirectHooks) {
    this.#local = local
    this.#parts = parts
    this.#holdings = holdings
    this.#pump = pump
    this.#end = (entry, outcome) => pump.end(entry, outcome)
  }
  start(): void {
    const { slots, stats, work } = this.#parts
    const holdings = this.#holdings
    const { lanes, running, leased } = holdings
    while (this.#pump.mayStart()) {
      if (leased.size > 0 && (lanes.ready.size > 0 || !this.#pump.hasRoom())) return
      if (this.#isTurning) return
      const item = this.#local.next()
      if (item === undefined) return
      if (this.#turns.isDue()) void this.#turn()
      const key = work.laneOf === undefined ? undefined : work.laneOf(item)
      const lane = key === undefined ? undefined : lanes.of(key)
      if (item.suspect || (lane !== undefined && lane.holder !== undefined)) {
        this.#pump.admit(item)
        continue
      }
      stats.received += 1
      const entry = new Entry(item, item.message.bytes, lane)
      entry.isDirect = true
      entry.state = 'running'
      if (lane !== undefined) lanes.hold(lane, entry)
      holdings.direct += 1
      running.add(entry)
      slots.take()
      work.handle(entry, this.#end)
    }
  }
  async #turn(): Promise<void> {
    this.#isTurning = true
    await nextTurn()
    this.#isTurning = false
    this.#pump.startReady()
  }
  acknowledge(entry: Entry): void {
    const holdings = this.#holdings
    holdings.direct -= 1
    holdings.running.remove(entry)
    entry.state = 'gone'
    holdings.lastDirect = entry
    holdings.lanes.advance(entry)
    this.#parts.stats.acknowledged += 1
    this.#local.acknowledge(entry.received as MemoryItem)
    holdings.tellIdle()
  }
  running(): readonly MemoryItem[] {
    const direct = this.#holdings.running.items().filter(({ isDirect }) => isDirect)
    return direct.map(({ received }) => received as MemoryItem)
  }
  /** Whether something waits for a place. */
  hasNext(): boolean {
    return this.#holdings.lanes.ready.size > 0 || this.#local.hasNext()
  }
  /** A message that ran straight from the transport goes on like one that was read. */
  lease(entry: Entry): void {
    const holdings = this.#holdings
    holdings.direct -= 1
    entry.isDirect = false
    entry.received = this.#local.lease(entry.received as MemoryItem)
    holdings.leased.add(entry)
  }
}
