import type { Clock } from '../clock.ts'
import { DeadlineList } from '../deadline-list.ts'
import { Roster } from '../roster.ts'
import type { Entry } from './entry.ts'
import { Lanes } from './lanes.ts'

/** The messages that one pump has in its hands, and how many of them wait, run or are held. */
export class Holdings {
  readonly lanes: Lanes = new Lanes()
  /** Those that hold a lease. */
  readonly leased: Roster<Entry> = new Roster()
  readonly running: DeadlineList<Entry>
  waiting = 0
  waitingBytes = 0
  /** Failed, and kept here until their next attempt. */
  held = 0
  /** Of those running: without a lease, straight from a transport of this process. */
  direct = 0
  /** The engine throws away code made for classes of which a full collection finds no instance: one of each lives on here. */
  lastDirect: Entry | undefined
  /** The same for those with a lease, with all that hangs on one: idle for long enough, a consumer would begin its next burst in slow code. */
  lastLeased: Entry | undefined
  /** Handlers past their timeout that have not ended. */
  overdue = 0
  #idle: (() => void)[] = []

  constructor(clock: Clock, timeoutMs: number, onTimeout: (entry: Entry) => void) {
    this.running = new DeadlineList(clock, timeoutMs, onTimeout)
  }
  wait(entry: Entry): void {
    entry.state = 'waiting'
    this.waiting += 1
    this.waitingBytes += entry.bytes
  }
  unwait(entry: Entry): void {
    this.waiting -= 1
    this.waitingBytes -= entry.bytes
  }
  begin(entry: Entry): void {
    this.unwait(entry)
    entry.state = 'running'
    this.running.add(entry)
  }
  /** Entries leave here, and with the last one whoever waits for the pump to run empty. */
  forget(entry: Entry): void {
    entry.state = 'gone'
    this.lastLeased = entry
    this.leased.remove(entry)
    this.lanes.advance(entry)
    this.tellIdle()
  }
  tellIdle(): void {
    if (this.#idle.length === 0 || this.leased.size + this.direct > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
  async whenEmpty(): Promise<void> {
    while (this.leased.size + this.direct > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }
}
