import type { Clock, Timer } from '../clock.ts'
import { type EvtErrorCode, evtError } from '../errors.ts'
import type { Outgoing, PublishFailure, Transport } from '../transport.ts'

interface Waiting {
  readonly outgoing: Outgoing
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  readonly dueMs: number
  done: boolean
}
interface PublisherParts {
  readonly transport: Transport
  /** The transport, open and with these topics declared. */
  ready(batch: readonly Outgoing[]): Promise<void>
  readonly clock: Clock
  readonly timeoutMs: number
}

const maxBatch = 500

/** Batches concurrent publishes: one call under way, in order; whoever comes meanwhile goes with the next. */
export class Publisher {
  readonly #parts: PublisherParts
  #queue: Waiting[] = []
  #pending = new Set<Waiting>()
  #flushing = false
  #timer: Timer | undefined
  #idle: (() => void)[] = []
  readonly #unconfirmed = new Set<() => void>()
  /** The last failure, until a publish succeeds. */
  failing: unknown

  constructor(parts: PublisherParts) {
    this.#parts = parts
  }
  /** Resolves when accepted; rejects saying refused, unavailable or unknown. */
  publish(outgoing: Outgoing): Promise<void> {
    return new Promise((resolve, reject) => {
      const dueMs = this.#parts.clock.monotonicMs() + this.#parts.timeoutMs
      const waiting = { outgoing, resolve, reject, dueMs, done: false }
      this.#pending.add(waiting)
      if (this.#timer === undefined) this.#arm(this.#parts.timeoutMs)
      this.#queue.push(waiting)
      if (this.#flushing) return
      this.#flushing = true
      void Promise.resolve().then(() => this.#flush())
    })
  }
  /** One call of the transport with no time limit and no queue: for a relay, which has its own. */
  async publishBatch(batch: readonly Outgoing[]): Promise<readonly PublishFailure[]> {
    try {
      await this.#parts.ready(batch)
    } catch (error) {
      this.failing = error
      return batch.map((_outgoing, index) => ({ index, outcome: 'unavailable', error }))
    }
    try {
      const failures = await this.#confirmed(this.#parts.transport.publish(batch))
      this.failing = failures[0]?.error
      return failures
    } catch (error) {
      this.failing = error
      return batch.map((_outgoing, index) => ({ index, outcome: 'unknown', error }))
    }
  }
  /** A confirmation that waits for handlers never comes once they have been closed: giving up must be possible. */
  #confirmed(publishing: Promise<readonly PublishFailure[]>): Promise<readonly PublishFailure[]> {
    if (this.#parts.transport.supports.confirms !== 'settled') return publishing
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new Error('the bus closed before the message was settled'))
      this.#unconfirmed.add(giveUp)
      publishing.then(resolve, reject).finally(() => this.#unconfirmed.delete(giveUp))
    })
  }
  /** Stops waiting for confirmations that come only when handlers are done. */
  abandonUnconfirmed(): void {
    for (const giveUp of [...this.#unconfirmed]) giveUp()
  }
  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    while (this.#pending.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }
  /** Gives up on everything that is still under way. */
  abandon(): void {
    for (const waiting of [...this.#pending]) this.#finish(waiting, { outcome: 'unknown', error: undefined })
    this.#timer?.cancel()
  }

  async #flush(): Promise<void> {
    const settles = this.#parts.transport.supports.confirms === 'settled'
    while (this.#queue.length > 0) {
      const due = this.#queue.splice(0, settles ? 1 : maxBatch).filter((waiting) => !waiting.done)
      if (due.length === 0) continue
      const publishing = this.#publishBatch(due)
      // A transport that confirms late would make everybody behind wait for the first; it takes them in order all the same.
      if (!settles) await publishing
    }
    this.#flushing = false
  }
  async #publishBatch(due: readonly Waiting[]): Promise<void> {
    const failures = await this.publishBatch(due.map((waiting) => waiting.outgoing))
    const failed = new Map(failures.map((failure) => [failure.index, failure]))
    for (let index = 0; index < due.length; index += 1) this.#finish(due[index]!, failed.get(index))
  }
  #finish(waiting: Waiting, failure: Pick<PublishFailure, 'outcome' | 'error'> | undefined): void {
    if (waiting.done) return
    waiting.done = true
    this.#pending.delete(waiting)
    if (failure === undefined) waiting.resolve()
    else waiting.reject(this.#error(waiting.outgoing, failure))
    if (this.#pending.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
  #error(outgoing: Outgoing, { outcome, error: cause }: Pick<PublishFailure, 'outcome' | 'error'>): Error {
    const { name } = this.#parts.transport
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    const message = `Publishing to "${outgoing.topic}" over ${name}: ${sentences[outcome]}${why}`
    return evtError(
      codes[outcome],
      message,
      { id: outgoing.id, transport: name },
      { cause, retryable: outcome !== 'refused' },
    )
  }
  #arm(delayMs: number): void {
    this.#timer = this.#parts.clock.startTimer(() => {
      this.#timer = undefined
      const nowMs = this.#parts.clock.monotonicMs()
      for (const waiting of this.#pending) {
        if (waiting.dueMs > nowMs) return this.#arm(waiting.dueMs - nowMs)
        const error = new Error(`no answer within ${this.#parts.timeoutMs} ms`)
        this.#finish(waiting, { outcome: this.#queue.includes(waiting) ? 'unavailable' : 'unknown', error })
      }
    }, delayMs)
  }
}

const codes = {
  refused: 'EVT_PUBLISH_REFUSED',
  unavailable: 'EVT_PUBLISH_UNAVAILABLE',
  unknown: 'EVT_PUBLISH_UNKNOWN',
} as const satisfies Record<PublishFailure['outcome'], EvtErrorCode>
const sentences = {
  refused: 'the transport refused the message',
  unavailable: 'the transport cannot be reached and the message was not sent',
  unknown: 'whether the message was accepted is unknown',
}
