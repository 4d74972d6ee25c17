import { payloadBytes } from '../encoded-message.ts'
import type { Publication } from '../publication.ts'
import type { Outgoing } from '../transport.ts'

/** What tells the positions of a topic from those of the same topic in another process. */
export interface TopicRun {
  readonly firstPosition: number
}

/** A published message with what is left to be done about it. */
export class MemoryMessage implements Publication<MemoryMessage> {
  readonly outgoing: Outgoing
  readonly #run: TopicRun
  /** Counted from 0: small numbers cost the engine no memory of their own, as positions would. */
  readonly sequence: number
  readonly publishedMs: number
  readonly bytes: number
  /** Told once every durable group has settled it. */
  waiter: ((message: MemoryMessage) => void) | undefined
  resolve: Publication<MemoryMessage>['resolve'] = nobody
  reject: Publication<MemoryMessage>['reject'] = nobody
  stage: Publication<MemoryMessage>['stage'] = 'accepted'
  before: MemoryMessage | undefined = undefined
  after: MemoryMessage | undefined = undefined
  isListed = false
  dueMs = 0
  isDue = false
  #unsettled = 0

  constructor(outgoing: Outgoing, run: TopicRun, sequence: number, publishedMs: number) {
    this.outgoing = outgoing
    this.#run = run
    this.sequence = sequence
    this.publishedMs = publishedMs
    this.bytes = payloadBytes(outgoing)
  }
  get position(): string {
    return String(this.#run.firstPosition + this.sequence)
  }
  get isSettled(): boolean {
    return this.#unsettled === 0
  }
  /** One more durable group must settle it. */
  await(): void {
    this.#unsettled += 1
  }
  settle(): void {
    this.#unsettled -= 1
    if (this.#unsettled > 0 || this.waiter === undefined) return
    this.waiter(this)
  }
  /** Resolves when every durable group has settled it. */
  whenSettled(): Promise<void> | undefined {
    if (this.isSettled) return undefined
    return new Promise((resolve) => {
      this.waiter = () => resolve()
    })
  }
}

function nobody(): void {}
