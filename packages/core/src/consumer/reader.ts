import { evtError } from '../errors.ts'
import type { Room, TransportDelivery } from '../transport.ts'
import { afterPromises, nextTurn } from '../turns.ts'
import type { PumpParts } from './pump-parts.ts'
import { ReadWatch } from './read-watch.ts'

/** Reads as long as there is room; after a failure again, more and more slowly. */
export class Reader {
  readonly #parts: PumpParts
  readonly #room: () => Room | undefined
  readonly #onReceived: (received: readonly TransportDelivery[]) => void
  readonly #watch: ReadWatch
  #loop: Promise<void> = Promise.resolve()
  #wakeLoop: (() => void) | undefined
  #stopped = false
  /** The last failure to read, until one succeeds. */
  failing: unknown

  constructor(
    parts: PumpParts,
    room: () => Room | undefined,
    onReceived: (received: readonly TransportDelivery[]) => void,
  ) {
    this.#parts = parts
    this.#room = room
    this.#onReceived = onReceived
    const { clock, work } = parts
    this.#watch = new ReadWatch(clock, (waitMs) => {
      const message = `A read of ${work.consumer} does not return, ${Math.round(waitMs)} ms after it began`
      this.failing = evtError('EVT_READ_STUCK', message, { consumer: work.consumer, waitMs })
      work.report(this.failing, 'read')
    })
  }
  start(): void {
    this.#loop = this.#run()
  }
  /** There may be room again. */
  wake(): void {
    if (this.#wakeLoop === undefined) return
    this.#wakeLoop()
    // Asked for with every message: to resolve what is resolved already is not free.
    this.#wakeLoop = undefined
  }
  /** Resolves when nothing is being read any more. */
  stop(): Promise<void> {
    this.#stopped = true
    this.#watch.close()
    this.wake()
    return this.#loop
  }
  async #run(): Promise<void> {
    const { consumer, clock, work } = this.#parts
    let failures = 0
    while (!this.#stopped) {
      const room = this.#room()
      if (room === undefined) {
        await new Promise<void>((resolve) => {
          this.#wakeLoop = resolve
        })
        // Others end in this turn of the event loop: one call asks for the room that all of them leave.
        await nextTurn()
        continue
      }
      try {
        const received = await consumer.read(room, this.#watch.begin())
        this.#watch.end()
        failures = 0
        this.failing = undefined
        this.#onReceived(received)
        // Handlers that need nothing but promises end before it. No later: a broker that has sent all it was asked for waits.
        if (received.length > 0) await afterPromises()
      } catch (error) {
        this.#watch.end()
        if (this.#stopped) return
        failures += 1
        if (failures === 1) work.report(error, 'read')
        this.failing = error
        const waitMs = Math.min(10_000, 50 * 2 ** Math.min(failures, 10))
        await new Promise<void>((resolve) => {
          this.#wakeLoop = resolve
          clock.startTimer(resolve, waitMs)
        })
      }
    }
  }
}
