import type { Clock } from '../clock.ts'
import { DeadlineList } from '../deadline-list.ts'
import { type EvtErrorCode, evtError } from '../errors.ts'
import type { LocalTransport } from '../memory/local.ts'
import type { Publication } from '../publication.ts'
import type { Published } from '../publish-options.ts'
import type { Outgoing, PublishFailure, Transport } from '../transport.ts'
import { nextTurn, TurnWatch } from '../turns.ts'
import { hold } from './holding.ts'

interface Waiting extends Publication<Waiting> {}
interface PublisherParts {
  /** The bus's name for the transport. */
  readonly name: string
  readonly transport: Transport
  /** Where the transport is one of this process and open. */
  local(): LocalTransport | undefined
  /** Opens the transport and declares the topics; answers what went wrong with those that could not be, if any. */
  ready(batch: readonly Outgoing[]): Promise<ReadonlyMap<string, unknown> | undefined>
  readonly clock: Clock
  readonly timeoutMs: number
}

const maxBatch = 500
const neverSettled = 'the bus closed before the message was settled'

/** Batches concurrent publishes: one call under way, in order; whoever comes meanwhile goes with the next. */
export class Publisher {
  readonly #parts: PublisherParts
  readonly #pending: DeadlineList<Waiting>
  readonly #confirm = (waiting: Waiting): void => this.#finish(waiting, undefined)
  #queue: Waiting[] = []
  /** The engine throws away code made for classes of which a full collection finds no instance: one of each lives on here. */
  lastSent: Waiting | undefined
  /** Of those in the queue: nobody waits for them any more. */
  #givenUp = 0
  #flushing = false
  /** Looks whether there is anything to hold the process for, when the turn of the event loop in which it was sent is over. */
  #isTurning = false
  #letGo: (() => void) | undefined
  #idle: (() => void)[] = []
  readonly #unconfirmed = new Set<() => void>()
  #abandoned = false
  readonly #turns = new TurnWatch()
  /** The last failure, until a publish is answered. */
  failing: unknown

  constructor(parts: PublisherParts) {
    this.#parts = parts
    this.#pending = new DeadlineList(parts.clock, parts.timeoutMs, (waiting) => {
      const error = new Error(`no answer within ${parts.timeoutMs} ms`)
      if (waiting.stage !== 'accepted') this.failing = error
      this.#finish(waiting, { outcome: waiting.stage === 'queued' ? 'unavailable' : 'unknown', error })
      if (waiting.stage === 'queued') this.#dropGivenUp()
    })
  }
  /** Resolves when accepted; rejects saying refused, unavailable or unknown. */
  publish(outgoing: Outgoing, nowMs?: number): Promise<Published> {
    const handed = this.hand(outgoing, nowMs)
    return handed instanceof Promise ? handed : Promise.resolve(handed)
  }
  /** The same without a promise for what is accepted at once. */
  hand(outgoing: Outgoing, nowMs?: number): Published | Promise<Published> {
    if (this.#abandoned) return this.#refuse(outgoing)
    const local = this.#flushing ? undefined : this.#parts.local()
    const accepted = local?.accept(outgoing, local.clock === this.#parts.clock ? nowMs : undefined)
    if (accepted === undefined) return this.#enqueue(outgoing)
    this.failing = undefined
    if (!local!.isSettled || accepted.isSettled) return this.#acceptedAtOnce(outgoing)
    const published = new Promise<Published>(takeEnds)
    accepted.resolve = resolvePublished
    accepted.reject = rejectPublished
    accepted.waiter = this.#confirm
    this.#watch(accepted)
    return published
  }
  /** Whoever publishes one after the other must not run away from the handlers, which wait for the next turn now and then. */
  #acceptedAtOnce(outgoing: Outgoing): Published | Promise<Published> {
    if (!this.#turns.isDue()) return publishedOver(outgoing)
    return nextTurn().then(() => publishedOver(outgoing))
  }
  /** For what was still being validated, or wrapped by middleware, when the bus closed. */
  #refuse(outgoing: Outgoing): Promise<Published> {
    return Promise.reject(this.#error(outgoing, { outcome: 'unavailable', error: new Error('the bus has closed') }))
  }
  #enqueue(outgoing: Outgoing): Promise<Published> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        outgoing,
        resolve,
        reject,
        stage: 'queued',
        before: undefined,
        after: undefined,
        isListed: false,
        dueMs: 0,
        isDue: false,
      }
      this.#watch(waiting)
      this.#queue.push(waiting)
      if (this.#flushing) return
      this.#flushing = true
      void Promise.resolve().then(() => this.#flush())
    })
  }
  /** Somebody awaits it: until it ends this process must not, for lack of anything else to do. */
  #watch(waiting: Waiting): void {
    this.#pending.add(waiting)
    if (this.#isTurning) return
    this.#isTurning = true
    void nextTurn().then(() => {
      this.#isTurning = false
      if (this.#pending.size > 0) this.#letGo ??= hold()
    })
  }
  /** One call of the transport with no time limit and no queue: for a relay, which has its own. */
  async publishBatch(batch: readonly Outgoing[]): Promise<readonly PublishFailure[]> {
    const send = await this.#prepare(batch)
    return send()
  }
  /** Opens and declares what a batch needs; answers how to send it, which hands it over before it returns. */
  async #prepare(batch: readonly Outgoing[]): Promise<() => Promise<readonly PublishFailure[]>> {
    try {
      const undeclared = await this.#parts.ready(batch)
      return () => (undeclared === undefined ? this.#send(batch) : this.#sendDeclared(batch, undeclared))
    } catch (error) {
      this.failing = error
      return async () => batch.map((_outgoing, index) => ({ index, outcome: 'unavailable', error }))
    }
  }
  /** What is wrong with one topic keeps no other from its messages; what comes behind one in its key must not overtake it. */
  async #sendDeclared(
    batch: readonly Outgoing[],
    undeclared: ReadonlyMap<string, unknown>,
  ): Promise<readonly PublishFailure[]> {
    const failures: PublishFailure[] = []
    const errorOfKey = new Map<string | undefined, unknown>()
    const rest: number[] = []
    for (const [index, { topic, key }] of batch.entries()) {
      const error = undeclared.get(topic) ?? errorOfKey.get(key)
      if (error === undefined) rest.push(index)
      else failures.push({ index, outcome: 'unavailable', error })
      if (error !== undefined && key !== undefined) errorOfKey.set(key, error)
    }
    const sent = rest.length === 0 ? [] : await this.#send(rest.map((index) => batch[index]!))
    for (const failure of sent) failures.push({ ...failure, index: rest[failure.index]! })
    this.failing = failures[0]!.error
    return failures.sort((left, right) => left.index - right.index)
  }
  async #send(batch: readonly Outgoing[]): Promise<readonly PublishFailure[]> {
    try {
      const failures = await this.#confirmed(this.#parts.transport.publish(batch))
      // Whoever refuses a message answers: the message is at fault, and the next one may be taken.
      this.failing = failures.find(({ outcome }) => outcome !== 'refused')?.error
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
      const giveUp = () => reject(new Error(neverSettled))
      this.#unconfirmed.add(giveUp)
      publishing.then(resolve, reject).finally(() => this.#unconfirmed.delete(giveUp))
    })
  }
  /** Stops waiting for confirmations that come only when handlers are done. */
  abandonUnconfirmed(): void {
    for (const giveUp of [...this.#unconfirmed]) giveUp()
    const error = new Error(neverSettled)
    for (const waiting of this.#pending.items())
      if (waiting.stage === 'accepted') this.#finish(waiting, { outcome: 'unknown', error })
  }
  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    while (this.#pending.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }
  /** Gives up on everything that is still under way, and takes nothing more. */
  abandon(): void {
    this.#abandoned = true
    for (const waiting of this.#pending.items()) this.#finish(waiting, { outcome: 'unknown', error: undefined })
    this.#pending.stop()
  }

  /** A transport that has gone silent takes nothing out of the queue. */
  #dropGivenUp(): void {
    this.#givenUp += 1
    if (this.#givenUp * 2 < this.#queue.length) return
    this.#queue = this.#queue.filter((waiting) => waiting.isListed)
    this.#givenUp = 0
  }
  async #flush(): Promise<void> {
    const settles = this.#parts.transport.supports.confirms === 'settled'
    while (this.#queue.length > 0) {
      const due = this.#queue.splice(0, settles ? 1 : maxBatch).filter((waiting) => waiting.isListed)
      if (due.length === 0) continue
      for (const waiting of due) waiting.stage = 'sent'
      this.lastSent = due[0]
      const send = await this.#prepare(due.map((waiting) => waiting.outgoing))
      const publishing = this.#finishAll(due, send())
      // A transport that confirms late would make everybody behind wait for the first; it takes them in order all the same.
      if (!settles) await publishing
    }
    this.#flushing = false
  }
  async #finishAll(due: readonly Waiting[], publishing: Promise<readonly PublishFailure[]>): Promise<void> {
    const failures = await publishing
    const failed = failures.length === 0 ? undefined : new Map(failures.map((failure) => [failure.index, failure]))
    for (let index = 0; index < due.length; index += 1) this.#finish(due[index]!, failed?.get(index))
  }
  #finish(waiting: Waiting, failure: Pick<PublishFailure, 'outcome' | 'error'> | undefined): void {
    if (!this.#pending.remove(waiting)) return
    if (failure === undefined) waiting.resolve(publishedOver(waiting.outgoing))
    else waiting.reject(this.#error(waiting.outgoing, failure))
    if (this.#pending.size > 0) return
    this.#letGo?.()
    this.#letGo = undefined
    if (this.#idle.length > 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
  #error(outgoing: Outgoing, { outcome, error: cause }: Pick<PublishFailure, 'outcome' | 'error'>): Error {
    const { name } = this.#parts
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    const message = `Publishing to "${outgoing.topic}" over ${name}: ${sentences[outcome]}${why}`
    return evtError(
      codes[outcome],
      message,
      { id: outgoing.id, transport: name },
      { cause, retryable: outcome !== 'refused' },
    )
  }
}

// The ends of the promise made last. A function that took them for one promise alone would have to be made for each.
let resolvePublished: (published: Published) => void
let rejectPublished: (error: Error) => void
function takeEnds(resolve: (published: Published) => void, reject: (error: Error) => void): void {
  resolvePublished = resolve
  rejectPublished = reject
}

function publishedOver({ id }: Outgoing): Published {
  return { id, via: 'transport' }
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
