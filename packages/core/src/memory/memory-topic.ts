import type { Clock } from '../clock.ts'
import { Queue } from '../consumer/queue.ts'
import type { Outgoing, StartAt } from '../transport.ts'
import type { MemoryGroup } from './memory-group.ts'
import { MemoryMessage } from './memory-message.ts'

/** The groups of one topic over a bounded log of what was published. */
export class MemoryTopic {
  readonly name: string
  readonly groups: Map<string, MemoryGroup> = new Map<string, MemoryGroup>()
  /** Publishers that wait for room, first come first served. */
  readonly waiting: Queue<() => void> = new Queue<() => void>()
  readonly #clock: Clock
  readonly #maxMessages: number
  readonly #maxBytes: number
  #log = new Queue<MemoryMessage>()
  #logBytes = 0
  // Positions name dead letters, which a store keeps longer than this process lives: no two runs may share them.
  #sequence = Math.floor(Math.random() * 2 ** 47)

  constructor(name: string, clock: Clock, maxMessages: number, maxBytes: number) {
    this.name = name
    this.#clock = clock
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
  }
  /** Whether every group has room for one more message of this size. An empty group takes one of any size. */
  hasRoom(bytes: number): boolean {
    for (const group of this.groups.values()) if (!this.#fits(group, bytes)) return false
    return true
  }
  /** Makes room by dropping the oldest that nobody holds; answers how many were dropped, or null where that is not enough. */
  dropOldest(bytes: number): number | null {
    let dropped = 0
    for (const group of this.groups.values()) {
      while (!this.#fits(group, bytes)) {
        if (!group.dropOldest()) return null
        dropped += 1
      }
    }
    return dropped
  }
  #fits(group: MemoryGroup, bytes: number): boolean {
    return group.size === 0 || (group.size < this.#maxMessages && group.bytes + bytes <= this.#maxBytes)
  }
  add(outgoing: Outgoing): MemoryMessage {
    this.#sequence += 1
    const message = new MemoryMessage(outgoing, this.#sequence, this.#clock.nowMs())
    this.#log.push(message)
    this.#logBytes += message.bytes
    while (this.#log.size > this.#maxMessages || (this.#logBytes > this.#maxBytes && this.#log.size > 1)) {
      this.#logBytes -= this.#log.shift()!.bytes
    }
    for (const group of this.groups.values()) group.add(message)
    return message
  }
  /** Gives a new group what the log still has from its start on. */
  replay(group: MemoryGroup, from: StartAt): void {
    if (from === 'latest') return
    const wanted = (message: MemoryMessage) => {
      if (from === 'earliest') return true
      if (from instanceof Date) return message.publishedMs >= from.getTime()
      return message.sequence > Number(from.position)
    }
    const kept = this.#log.drain()
    for (const message of kept) {
      this.#log.push(message)
      if (wanted(message)) group.add(message)
    }
  }
  wakePublishers(): void {
    // Each that wakes looks for room itself; those behind it wait for their turn.
    if (this.waiting.size > 0 && this.hasRoom(0)) this.waiting.shift()!()
  }
}
