import type { Entry } from './entry.ts'
import { Queue } from './queue.ts'

/** The entries of one key: one goes, the others wait behind it. */
export interface Lane {
  holder: Entry | undefined
  behind: Queue<Entry> | undefined
}

const freeKept = 1_024

/** Lets one entry of a key go at a time, in the order they came; entries without a lane go at once. */
export class Lanes {
  readonly ready: Queue<Entry> = new Queue()
  /** Also lanes that are free: keys come again, and to take from a map and put back costs more than to leave. */
  #lanes: Map<string, Lane> = new Map()
  #held = 0

  of(key: string): Lane {
    const known = this.#lanes.get(key)
    if (known !== undefined) return known
    if (this.#lanes.size > 2 * this.#held + freeKept) this.#dropFree()
    const lane = { holder: undefined, behind: undefined }
    this.#lanes.set(key, lane)
    return lane
  }
  admit(entry: Entry): void {
    const { lane } = entry
    if (lane?.holder !== undefined) {
      lane.behind ??= new Queue()
      lane.behind.push(entry)
      return
    }
    if (lane !== undefined) this.hold(lane, entry)
    this.ready.push(entry)
  }
  /** For an entry that runs at once because its lane is free. */
  hold(lane: Lane, entry: Entry): void {
    lane.holder = entry
    this.#held += 1
  }
  /** The entries that wait behind the holder of a lane, taken out of it. */
  supersede(lane: Lane): Entry[] {
    return (lane.behind?.drain() ?? []).filter((entry) => entry.state === 'waiting')
  }
  /** Where this entry holds its lane, the next one of the key is ready. Harmless when it no longer does. */
  advance(entry: Entry): void {
    const { lane } = entry
    if (lane === undefined || lane.holder !== entry) return
    for (let next = lane.behind?.shift(); next !== undefined; next = lane.behind?.shift()) {
      if (next.state !== 'waiting') continue
      lane.holder = next
      this.ready.push(next)
      return
    }
    lane.holder = undefined
    this.#held -= 1
  }
  #dropFree(): void {
    const held = new Map<string, Lane>()
    for (const [key, lane] of this.#lanes) if (lane.holder !== undefined) held.set(key, lane)
    this.#lanes = held
  }
}
