import { evtError } from '../errors.ts'
import type { Endings } from './endings.ts'
import type { Entry } from './entry.ts'
import type { Holdings } from './holdings.ts'
import type { PumpParts } from './pump-parts.ts'

/** Messages that may have ended the process that ran them: one runs at a time, so that it is known which one it was. */
export class Suspects {
  readonly #parts: PumpParts
  readonly #holdings: Holdings
  readonly #endings: Endings
  #running = false
  readonly #waiting: Entry[] = []

  constructor(parts: PumpParts, holdings: Holdings, endings: Endings) {
    this.#parts = parts
    this.#holdings = holdings
    this.#endings = endings
  }
  /** Whether this one may run now; if not, it is ready again when the one before has ended. */
  claim(entry: Entry): boolean {
    if (this.#running) {
      this.#waiting.push(entry)
      return false
    }
    this.#running = true
    return true
  }
  ended(): void {
    this.#running = false
    let next = this.#waiting.shift()
    // One that was lost or given back meanwhile must not keep the others waiting.
    while (next !== undefined && next.state !== 'waiting') next = this.#waiting.shift()
    if (next !== undefined) this.#holdings.lanes.ready.unshift([next])
  }
  /**
   * Its start is recorded before its handler runs, so that its attempts are counted all the same. Answers whether it may still
   * run then: the server may have been away for long.
   */
  recordStart(entry: Entry): Promise<boolean> {
    return new Promise((resolve) =>
      this.#endings.settler.add({ delivery: entry.received, as: 'started' }, entry, (_entry, result) => {
        if (result === 'refused' && !entry.lost) {
          this.#parts.stats.lost += 1
          entry.lost = true
        }
        resolve(result === 'settled' && !entry.lost && !entry.timedOut && !this.#endings.isStopping)
      }),
    )
  }
  /** One whose runs all ended, the last with its process, is dead-lettered instead of taking down the next. */
  isPoison(entry: Entry): boolean {
    const { settings, support, work } = this.#parts
    const { suspect } = entry.received
    const { attempts } = settings.retry
    if (!entry.isPoison) {
      if (!suspect || entry.attempt <= attempts || support.attempts === 'deliveries') return false
      entry.isPoison = true
      // The one that would begin now.
      entry.attempt -= 1
    }
    this.#holdings.unwait(entry)
    const message = `${work.consumer} ended ${entry.attempt} times without settling this message, the last time with its process`
    const error = evtError('EVT_POISON', message, { consumer: work.consumer, attempts: entry.attempt })
    void this.#endings.deadLetter(entry, error)
    return true
  }
}
