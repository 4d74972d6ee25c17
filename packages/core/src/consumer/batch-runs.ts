import type { Timer } from '../clock.ts'
import type { Endings } from './endings.ts'
import type { Entry } from './entry.ts'
import type { RunEnd } from './gate.ts'
import type { Holdings } from './holdings.ts'
import type { PumpParts, Starting } from './pump-parts.ts'
import type { Suspects } from './suspects.ts'

/** Starts handlers of batches: when one is full, when nothing more may be read, or when it has waited long enough. */
export class BatchRuns {
  readonly #parts: PumpParts
  readonly #holdings: Holdings
  readonly #suspects: Suspects
  readonly #endings: Endings
  readonly #pump: Starting
  #lingerTimer: Timer | undefined
  #lingered = false

  constructor(parts: PumpParts, holdings: Holdings, suspects: Suspects, endings: Endings, pump: Starting) {
    this.#parts = parts
    this.#holdings = holdings
    this.#suspects = suspects
    this.#endings = endings
    this.#pump = pump
  }
  start(): void {
    const { settings, gate, clock, slots } = this.#parts
    const { maxItems, maxBytes, lingerMs } = settings.batch!
    const holdings = this.#holdings
    const { ready } = holdings.lanes
    while (ready.size > 0 && this.#pump.mayStart()) {
      const full = ready.size >= maxItems || holdings.waitingBytes >= maxBytes || holdings.waiting >= settings.prefetch
      if (!full && !this.#lingered) {
        this.#lingerTimer ??= clock.startTimer(() => {
          this.#lingerTimer = undefined
          this.#lingered = true
          this.#pump.startReady()
        }, lingerMs)
        return
      }
      if (gate.permits() < 1) return this.#pump.awaitGate()
      const entries = this.#take(maxItems, maxBytes)
      this.#lingered = false
      this.stopLingering()
      if (entries.length === 0) return
      slots.take()
      gate.started()
      void this.#run(entries)
    }
  }
  stopLingering(): void {
    this.#lingerTimer?.cancel()
    this.#lingerTimer = undefined
  }
  #take(maxItems: number, maxBytes: number): readonly Entry[] {
    const { ready } = this.#holdings.lanes
    const entries: Entry[] = []
    let bytes = 0
    while (entries.length < maxItems && ready.size > 0) {
      const entry = ready.peek()!
      const { suspect } = entry.received
      // A suspect goes alone, so that it takes no innocent with it.
      if (entries.length > 0 && (suspect || bytes + entry.bytes > maxBytes)) break
      ready.shift()
      if (entry.state !== 'waiting' || this.#suspects.isPoison(entry)) continue
      if (suspect && !this.#suspects.claim(entry)) continue
      this.#holdings.begin(entry)
      entries.push(entry)
      bytes += entry.bytes
      if (suspect) break
    }
    return entries
  }
  async #run(entries: readonly Entry[]): Promise<void> {
    const { suspect } = entries[0]!.received
    const mayRun = !suspect || (await this.#suspects.recordStart(entries[0]!))
    const outcomes = mayRun ? await this.#parts.work.handleBatch(entries) : entries.map(() => 'release' as const)
    if (suspect) this.#suspects.ended()
    this.#parts.slots.give()
    let end: RunEnd = 'neither'
    for (let index = 0; index < entries.length; index += 1) {
      const each = this.#endings.finish(entries[index]!, outcomes[index]!)
      if (each === 'succeeded' || end === 'neither') end = each
    }
    this.#parts.gate.finished(end)
    this.#pump.startReady()
  }
}
