import type { Clock } from '../clock.ts'
import { evtError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { type LocalTransport, localTransport } from '../memory/local.ts'
import { encodeTopic } from '../names.ts'
import type { Consumer, ConsumerEvents, ConsumeSpec, Topic, Transport } from '../transport.ts'
import { within } from '../within.ts'
import { type OpenTransport, openTransport } from './open-transports.ts'
import { Publisher } from './publisher.ts'
import { Trimmer } from './trimmer.ts'

interface PortParts {
  readonly name: string
  readonly transport: Transport
  readonly namespace: string
  readonly clock: Clock
  readonly publishTimeoutMs: number
  readonly logger: Logger
  report(error: unknown, during: string): void
}

/** One transport of a bus: opened and its topics declared at their first use, once, again after a failure. */
export class TransportPort {
  readonly name: string
  readonly transport: Transport
  readonly publisher: Publisher
  /** Where the transport is one of this process. */
  readonly local: LocalTransport | undefined
  readonly #parts: PortParts
  readonly #open: OpenTransport
  #opening: Promise<void> | undefined
  #isOpen = false
  #isClosed = false
  #cannotOpen: unknown
  readonly #trimmer: Trimmer
  readonly #declared = new Map<string, Promise<Topic> | Topic>()
  readonly #topics = new Map<string, string>()

  constructor(parts: PortParts) {
    this.#parts = parts
    this.name = parts.name
    this.transport = parts.transport
    this.local = localTransport(parts.transport)
    this.#open = openTransport(parts.transport)
    this.publisher = new Publisher({
      name: parts.name,
      transport: parts.transport,
      clock: parts.clock,
      timeoutMs: parts.publishTimeoutMs,
      local: () =>
        this.#isOpen && !this.#isClosed && parts.transport.publish === this.local?.publish ? this.local : undefined,
      ready: (batch) => this.#ready(batch),
    })
    this.#trimmer = new Trimmer(parts.transport, parts.clock, (error) => parts.report(error, 'trim'))
  }
  /** The topic of an event on every transport. */
  topicOf(event: string): string {
    let topic = this.#topics.get(event)
    if (topic === undefined) {
      topic = encodeTopic(this.#parts.namespace, event)
      this.#topics.set(event, topic)
    }
    return topic
  }
  async open(): Promise<void> {
    this.#checkOpen()
    if (this.#isOpen) return
    this.#opening ??= this.#open.take().then(
      () => {
        this.#isOpen = true
      },
      (error) => {
        this.#opening = undefined
        this.#cannotOpen = error
        throw error
      },
    )
    await this.#opening
  }
  /** An adapter never sees a use after its close, and nobody would close what opened now. */
  #checkOpen(): void {
    if (!this.#isClosed) return
    throw evtError('EVT_TRANSPORT_CLOSED', `The transport ${this.name} has closed`, { transport: this.name })
  }
  /** Why nothing can travel over it just now, as far as is known. */
  get failing(): unknown {
    if (this.#isOpen) return this.publisher.failing
    return this.#cannotOpen ?? (this.#opening === undefined ? undefined : new Error('it is not open yet'))
  }
  /** The topic as it is. Asked once; again where partitions are wanted that the first call did not name. */
  async declare(name: string, partitions?: number): Promise<Topic> {
    const known = this.#declared.get(name)
    if (known !== undefined) {
      const topic = await known
      if (partitions === undefined || topic.partitions === partitions) return topic
    }
    const declaring = this.#declare({ name, partitions })
    this.#declared.set(name, declaring)
    return declaring
  }
  async #declare(wanted: Topic): Promise<Topic> {
    try {
      await this.open()
      const topic = await this.transport.declare(wanted)
      this.#declared.set(wanted.name, topic)
      return topic
    } catch (error) {
      this.#declared.delete(wanted.name)
      throw error
    }
  }
  async #ready(batch: readonly { readonly topic: string }[]): Promise<ReadonlyMap<string, unknown> | undefined> {
    this.#checkOpen()
    let missing: Set<string> | undefined
    for (const { topic } of batch) {
      const declared = this.#declared.get(topic)
      if (declared !== undefined && !(declared instanceof Promise)) continue
      missing ??= new Set()
      missing.add(topic)
    }
    if (missing === undefined) return undefined
    await this.open()
    const failed = new Map<string, unknown>()
    const declare = (topic: string) => this.declare(topic).catch((error: unknown) => failed.set(topic, error))
    await Promise.all([...missing].map(declare))
    return failed.size === 0 ? undefined : failed
  }
  async consume(spec: ConsumeSpec, events: ConsumerEvents): Promise<Consumer> {
    await this.declare(spec.topic)
    this.#checkOpen()
    const consumer = await this.transport.consume(spec, events)
    this.#trimmer.add(spec.topic)
    return consumer
  }
  async close(limitMs: number): Promise<void> {
    this.#isClosed = true
    const opening = this.#opening
    if (opening === undefined) return
    if (!(await within(this.#parts.clock, limitMs, Promise.allSettled([opening])))) {
      this.#parts.report(new Error(`The transport ${this.name} has not opened in time and is left behind`), 'close')
      // Whoever gets a connection after all has no use for it any more.
      opening.then(() => this.#open.leave()).catch(() => undefined)
      return
    }
    if (!(await within(this.#parts.clock, limitMs, this.#trimmer.close())))
      this.#parts.report(new Error(`A trim of ${this.name} has not ended in time and is left behind`), 'close')
    if (!this.#isOpen) return
    if (!this.#open.isShared) await this.#tellLeftBehind()
    await this.#open.leave()
  }
  /** What a transport of this process still holds ends with it. */
  async #tellLeftBehind(): Promise<void> {
    if (this.transport.supports.durability !== 'process') return
    let messages = 0
    for (const topic of this.#declared.keys()) {
      const states = await this.transport.inspect(topic)
      for (const { lag, running, delayed } of states) messages += (lag ?? 0) + (running ?? 0) + (delayed ?? 0)
    }
    if (messages === 0) return
    this.#parts.logger.warn({ transport: this.name, messages }, 'messages that were not handled end with this process')
  }
}
