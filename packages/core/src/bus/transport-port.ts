import type { Clock } from '../clock.ts'
import { encodeTopic } from '../names.ts'
import type { Consumer, ConsumerEvents, ConsumeSpec, Transport } from '../transport.ts'
import { Publisher } from './publisher.ts'

interface PortParts {
  readonly name: string
  readonly transport: Transport
  readonly namespace: string
  readonly clock: Clock
  readonly publishTimeoutMs: number
}

/** One transport of a bus: opened and its topics declared at their first use, once, again after a failure. */
export class TransportPort {
  readonly name: string
  readonly transport: Transport
  readonly publisher: Publisher
  readonly #parts: PortParts
  #opening: Promise<void> | undefined
  #isOpen = false
  readonly #declared = new Map<string, Promise<void> | true>()
  readonly #topics = new Map<string, string>()

  constructor(parts: PortParts) {
    this.#parts = parts
    this.name = parts.name
    this.transport = parts.transport
    this.publisher = new Publisher({
      transport: parts.transport,
      clock: parts.clock,
      timeoutMs: parts.publishTimeoutMs,
      ready: (batch) => this.#ready(batch),
    })
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
    if (this.#isOpen) return
    this.#opening ??= this.transport.open().then(
      () => {
        this.#isOpen = true
      },
      (error) => {
        this.#opening = undefined
        throw error
      },
    )
    await this.#opening
  }
  async declare(topic: string): Promise<void> {
    await this.open()
    const declared = this.#declared.get(topic)
    if (declared === true) return
    if (declared !== undefined) return declared
    const declaring = this.transport.declare({ name: topic, partitions: undefined }).then(
      () => {
        this.#declared.set(topic, true)
      },
      (error) => {
        this.#declared.delete(topic)
        throw error
      },
    )
    this.#declared.set(topic, declaring)
    await declaring
  }
  async #ready(batch: readonly { readonly topic: string }[]): Promise<void> {
    for (const { topic } of batch) if (this.#declared.get(topic) !== true) await this.declare(topic)
  }
  async consume(spec: ConsumeSpec, events: ConsumerEvents): Promise<Consumer> {
    await this.declare(spec.topic)
    return this.transport.consume(spec, events)
  }
  async close(): Promise<void> {
    if (this.#opening === undefined) return
    await this.#opening.catch(() => undefined)
    if (this.#isOpen) await this.transport.close()
  }
}
