import type { Clock } from '../clock.ts'
import { Queue } from '../consumer/queue.ts'
import type { Outgoing, StartAt } from '../transport.ts'
import type { MemoryGroup } from './memory-group.ts'
import { MemoryLog } from './memory-log.ts'
import { MemoryMessage, type TopicRun } from './memory-message.ts'

/** The groups of one topic over a bounded log of what was published. */
export class MemoryTopic {
  readonly name: string
  /** By consumer. A new list at every change, so that one may be walked while handlers run. */
  groups: readonly MemoryGroup[] = []
  /** Publishers that wait for room, first come first served. */
  readonly waiting: Queue<() => void> = new Queue<() => void>()
  readonly #clock: Clock
  readonly #maxMessages: number
  readonly #maxBytes: number
  readonly #log: MemoryLog
  // Positions name dead letters, which a store keeps longer than this process lives: no two runs may share them.
  readonly #run: TopicRun = { firstPosition: 1 + Math.floor(Math.random() * 2 ** 47) }
  #sequence = 0

  constructor(name: string, clock: Clock, maxMessages: number, maxBytes: number) {
    this.name = name
    this.#clock = clock
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
    this.#log = new MemoryLog(maxMessages, maxBytes)
  }
  /** Whether every group has room for one more message of this size. An empty group takes one of any size. */
  hasRoom(bytes: number): boolean {
    for (const group of this.groups) if (!this.#fits(group, bytes)) return false
    return true
  }
  /** Makes room by dropping the oldest that nobody holds, which may not be enough; answers how many were dropped. */
  dropOldest(bytes: number): number {
    let dropped = 0
    for (const group of this.groups) while (!this.#fits(group, bytes) && group.dropOldest()) dropped += 1
    return dropped
  }
  #fits(group: MemoryGroup, bytes: number): boolean {
    return group.size === 0 || (group.size < this.#maxMessages && group.bytes + bytes <= this.#maxBytes)
  }
  group(consumer: string): MemoryGroup | undefined {
    return this.groups.find(({ name }) => name === consumer)
  }
  addGroup(group: MemoryGroup): void {
    this.groups = [...this.groups, group]
  }
  removeGroup(group: MemoryGroup): void {
    this.groups = this.groups.filter((each) => each !== group)
  }
  add(outgoing: Outgoing, nowMs: number = this.#clock.nowMs()): MemoryMessage {
    const message = new MemoryMessage(outgoing, this.#run, this.#sequence, nowMs)
    this.#sequence += 1
    this.#log.push(message)
    const { groups } = this
    // All have it before anybody runs: a handler may publish the next message of the same key.
    for (let index = 0; index < groups.length; index += 1) groups[index]!.add(message)
    for (let index = 0; index < groups.length; index += 1) groups[index]!.announce()
    return message
  }
  /** Gives a new group what the log still has from its start on. */
  replay(group: MemoryGroup, from: StartAt): void {
    if (from === 'latest') return
    const after = from === 'earliest' || from instanceof Date ? -1 : Number(from.position) - this.#run.firstPosition
    const sinceMs = from instanceof Date ? from.getTime() : 0
    for (const { outgoing, sequence, publishedMs } of this.#log.messages(this.name)) {
      if (sequence > after && publishedMs >= sinceMs)
        group.add(new MemoryMessage(outgoing, this.#run, sequence, publishedMs))
    }
  }
  /** Waits in turn until there is room for a message. In front until it is there: whoever comes later stays behind. */
  async room(bytes: number, isOver: () => boolean): Promise<void> {
    let wake: () => void = () => undefined
    this.waiting.push(() => wake())
    do {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      if (isOver()) return
    } while (!this.hasRoom(bytes))
    this.waiting.shift()
  }
  wakePublishers(): void {
    // The first looks for room itself; those behind it wait for their turn.
    if (this.waiting.size > 0 && this.hasRoom(0)) this.waiting.peek()!()
  }
}
