import type { Entry } from './entry.ts'
import { Queue } from './queue.ts'

interface Lane {
  /** Cleared when the lane is free: the engine keeps old tables of a map for long, and what they refer to with them. */
  holder: Entry | undefined
  behind: Queue<Entry> | undefined
}

/** Lets one entry of a key go at a time, in the order they came; entries without a lane go at once. */
export class Lanes {
  readonly ready: Queue<Entry> = new Queue()
  readonly #lanes: Map<string, Lane> = new Map()

  admit(entry: Entry): void {
    if (entry.lane !== undefined) {
      const lane = this.#lanes.get(entry.lane)
      if (lane !== undefined) {
        lane.behind ??= new Queue()
        lane.behind.push(entry)
        return
      }
      this.hold(entry)
    }
    this.ready.push(entry)
  }
  /** For an entry that runs at once because its lane is free. */
  hold(entry: Entry): void {
    if (entry.lane !== undefined) this.#lanes.set(entry.lane, { holder: entry, behind: undefined })
  }
  isFree(key: string): boolean {
    return !this.#lanes.has(key)
  }
  /** The entries that wait behind the holder of a lane, taken out of it. */
  supersede(key: string): Entry[] {
    return (this.#lanes.get(key)?.behind?.drain() ?? []).filter((entry) => entry.state === 'waiting')
  }
  /** Where this entry holds its lane, the next one of the key is ready. Harmless when it no longer does. */
  advance(entry: Entry): void {
    if (entry.lane === undefined) return
    const lane = this.#lanes.get(entry.lane)
    if (lane?.holder !== entry) return
    for (let next = lane.behind?.shift(); next !== undefined; next = lane.behind?.shift()) {
      if (next.state !== 'waiting') continue
      lane.holder = next
      this.ready.push(next)
      return
    }
    this.#lanes.delete(entry.lane)
    lane.holder = undefined
  }
}
