import { EncodedMessage, type EventStamp } from '../encoded-message.ts'
import { StoredText } from '../stored-text.ts'
import type { Outgoing } from '../transport.ts'
import { sameTimeOrderedId } from '../uuid.ts'
import type { MemoryMessage } from './memory-message.ts'

/** How many numbers there are of each message. */
const width = 7

/** A message as the log has it. */
export interface Logged {
  readonly outgoing: Outgoing
  readonly sequence: number
  readonly publishedMs: number
}

/**
 * The last messages of a topic, for groups to come. Kept in columns: ten thousand objects that live a little longer than
 * the rest would cost the garbage collector more than everything else does to publish and handle them.
 */
export class MemoryLog {
  readonly #maxMessages: number
  readonly #maxBytes: number
  #capacity = 0
  #size = 0
  #bytes = 0
  /** Of the oldest. */
  #sequence = 0
  #outgoings: (Outgoing | undefined)[] = []
  #stamps: (EventStamp | undefined)[] = []
  #keys: (string | undefined)[] = []
  #bodies: (Uint8Array | string | undefined)[] = []
  #values: unknown[] = []
  /** Of what came out of an outbox, as are the next two. */
  #headersTexts: (string | undefined)[] = []
  #transports: (string | undefined)[] = []
  #ids: (string | undefined)[] = []
  /** Published, bytes, made, and the four parts of the id. */
  #numbers = new Float64Array(0)

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
  }
  push(message: MemoryMessage): void {
    if (this.#size === 0) this.#sequence = message.sequence
    if (this.#size === this.#maxMessages) this.#dropFirst()
    if (this.#size === this.#capacity) this.#grow()
    const at = this.#place(message.sequence)
    const { outgoing } = message
    const numbers = this.#numbers
    const first = at * width
    numbers[first] = message.publishedMs
    numbers[first + 1] = message.bytes
    if (outgoing instanceof EncodedMessage) {
      const { timeOrderedId } = outgoing
      numbers[first + 2] = outgoing.timeMs
      numbers[first + 3] = timeOrderedId.ms
      numbers[first + 4] = timeOrderedId.counter
      numbers[first + 5] = timeOrderedId.high
      numbers[first + 6] = timeOrderedId.low
      this.#stamps[at] = outgoing.stamp
      this.#keys[at] = outgoing.key
      this.#bodies[at] = outgoing.body
      this.#values[at] = outgoing.value
    } else if (outgoing instanceof StoredText) {
      this.#headersTexts[at] = outgoing.headersText
      this.#transports[at] = outgoing.transport
      this.#ids[at] = outgoing.id
      this.#keys[at] = outgoing.key
      this.#bodies[at] = outgoing.body
    } else this.#outgoings[at] = outgoing
    this.#size += 1
    this.#bytes += message.bytes
    while (this.#bytes > this.#maxBytes && this.#size > 1) this.#dropFirst()
  }
  /** What it has, oldest first. */
  *messages(topic: string): Generator<Logged> {
    for (let index = 0; index < this.#size; index += 1) {
      const sequence = this.#sequence + index
      const at = this.#place(sequence)
      const outgoing = this.#outgoings[at] ?? this.#stored(topic, at) ?? this.#encoded(topic, at)
      yield { outgoing, sequence, publishedMs: this.#numbers[at * width]! }
    }
  }
  #stored(topic: string, at: number): StoredText | undefined {
    const headersText = this.#headersTexts[at]
    if (headersText === undefined) return undefined
    const [transport, id, key, payload] = [this.#transports[at]!, this.#ids[at]!, this.#keys[at], this.#bodies[at]!]
    return new StoredText({ transport, id, topic, key, payload }, headersText)
  }
  #encoded(topic: string, at: number): EncodedMessage {
    const [bytes, timeMs, ...id] = this.#numbers.subarray(at * width + 1, (at + 1) * width) as unknown as [
      ...[bytes: number, timeMs: number],
      ...[ms: number, counter: number, high: number, low: number],
    ]
    const content = { key: this.#keys[at], body: this.#bodies[at], bytes, value: this.#values[at] }
    return new EncodedMessage(this.#stamps[at]!, topic, timeMs, sameTimeOrderedId(...id), content)
  }
  #place(sequence: number): number {
    return sequence & (this.#capacity - 1)
  }
  #dropFirst(): void {
    const at = this.#place(this.#sequence)
    this.#bytes -= this.#numbers[at * width + 1]!
    this.#outgoings[at] = undefined
    this.#bodies[at] = undefined
    this.#values[at] = undefined
    this.#headersTexts[at] = undefined
    this.#sequence += 1
    this.#size -= 1
  }
  #grow(): void {
    const from = this.#capacity
    this.#capacity = Math.max(16, from * 2)
    const numbers = new Float64Array(this.#capacity * width)
    const moved = <Value>(column: readonly Value[]): Value[] => {
      const wider = new Array<Value>(this.#capacity)
      for (let index = 0; index < this.#size; index += 1) {
        const sequence = this.#sequence + index
        wider[this.#place(sequence)] = column[sequence & (from - 1)]!
      }
      return wider
    }
    for (let index = 0; index < this.#size; index += 1) {
      const sequence = this.#sequence + index
      const old = (sequence & (from - 1)) * width
      numbers.set(this.#numbers.subarray(old, old + width), this.#place(sequence) * width)
    }
    this.#numbers = numbers
    this.#outgoings = moved(this.#outgoings)
    this.#stamps = moved(this.#stamps)
    this.#keys = moved(this.#keys)
    this.#bodies = moved(this.#bodies)
    this.#values = moved(this.#values)
    this.#headersTexts = moved(this.#headersTexts)
    this.#transports = moved(this.#transports)
    this.#ids = moved(this.#ids)
  }
}
