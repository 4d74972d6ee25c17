import { EncodedMessage, type EventStamp } from '../encoded-message.ts'
import type { Outgoing } from '../transport.ts'
import { TimeOrderedId } from '../uuid.ts'
import type { MemoryMessage } from './memory-message.ts'

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
  #prefixes: string[] = []
  #suffixes: string[] = []
  #keys: (string | undefined)[] = []
  #bodies: (Uint8Array | string | undefined)[] = []
  #values: unknown[] = []
  /** Published, made, number of the id, bytes. */
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
    numbers[at * 4] = message.publishedMs
    numbers[at * 4 + 3] = message.bytes
    if (outgoing instanceof EncodedMessage) {
      const { timeOrderedId } = outgoing
      numbers[at * 4 + 1] = outgoing.timeMs
      numbers[at * 4 + 2] = timeOrderedId.number
      this.#stamps[at] = outgoing.stamp
      this.#prefixes[at] = timeOrderedId.prefix
      this.#suffixes[at] = timeOrderedId.suffixes
      this.#keys[at] = outgoing.key
      this.#bodies[at] = outgoing.body
      this.#values[at] = outgoing.value
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
      const outgoing = this.#outgoings[at] ?? this.#encoded(topic, at)
      yield { outgoing, sequence, publishedMs: this.#numbers[at * 4]! }
    }
  }
  #encoded(topic: string, at: number): EncodedMessage {
    const id = new TimeOrderedId(this.#prefixes[at]!, this.#suffixes[at]!, this.#numbers[at * 4 + 2]!)
    const content = {
      key: this.#keys[at],
      body: this.#bodies[at],
      bytes: this.#numbers[at * 4 + 3]!,
      value: this.#values[at],
    }
    return new EncodedMessage(this.#stamps[at]!, topic, this.#numbers[at * 4 + 1]!, id, content)
  }
  #place(sequence: number): number {
    return sequence & (this.#capacity - 1)
  }
  #dropFirst(): void {
    const at = this.#place(this.#sequence)
    this.#bytes -= this.#numbers[at * 4 + 3]!
    this.#outgoings[at] = undefined
    this.#bodies[at] = undefined
    this.#values[at] = undefined
    this.#sequence += 1
    this.#size -= 1
  }
  #grow(): void {
    const from = this.#capacity
    this.#capacity = Math.max(16, from * 2)
    const numbers = new Float64Array(this.#capacity * 4)
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
      const old = (sequence & (from - 1)) * 4
      numbers.set(this.#numbers.subarray(old, old + 4), this.#place(sequence) * 4)
    }
    this.#numbers = numbers
    this.#outgoings = moved(this.#outgoings)
    this.#stamps = moved(this.#stamps)
    this.#prefixes = moved(this.#prefixes)
    this.#suffixes = moved(this.#suffixes)
    this.#keys = moved(this.#keys)
    this.#bodies = moved(this.#bodies)
    this.#values = moved(this.#values)
  }
}
