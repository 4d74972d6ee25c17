import type { Clock, Timer } from '../clock.ts'
import type { Transport } from '../transport.ts'

const everyMs = 5_000

/** Runs a transport's trim step for the topics that this process reads. Any number of processes may do the same. */
export class Trimmer {
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #report: (error: unknown) => void
  readonly #topics = new Set<string>()
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #closed = false

  constructor(transport: Transport, clock: Clock, report: (error: unknown) => void) {
    this.#transport = transport
    this.#clock = clock
    this.#report = report
  }
  /** This topic is read from now on. Does nothing where the transport keeps messages by limits or not at all. */
  add(topic: string): void {
    if (this.#transport.supports.retention !== 'acknowledged') return
    this.#topics.add(topic)
    this.#arm()
  }
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#running
  }
  #arm(): void {
    if (this.#closed || this.#timer !== undefined) return
    this.#timer = this.#clock.startTimer(() => {
      this.#timer = undefined
      this.#running = this.#trim().finally(() => this.#arm())
    }, everyMs)
  }
  async #trim(): Promise<void> {
    for (const topic of this.#topics) {
      if (this.#closed) return
      try {
        await this.#transport.trim(topic)
      } catch (error) {
        this.#report(error)
      }
    }
  }
}
