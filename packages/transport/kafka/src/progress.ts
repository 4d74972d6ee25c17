import type { Committed, Fetched, KafkaRecord } from './client.ts'
import {
  decodeProgress,
  encodeProgress,
  fullMetadataBytes,
  type Mark,
  type ProgressMetadata,
} from './progress-metadata.ts'

/** A message as one group sees it, from its fetch until everything before it is done as well. */
export interface Item {
  readonly progress: Progress
  readonly offset: number
  /** Empty once it is done: one slow message must not keep in memory what thousands behind it held. */
  record: KafkaRecord
  /** The attempt that the record tells by itself: what differs from it must stand in the commit. */
  readonly told: number
  attempt: number
  deliveries: number
  suspect: boolean
  state: 'waiting' | 'held' | 'done'
  /** Its run began, as the commit must say. */
  started: boolean
  /** Written to another topic already, so that settling again does not write it twice. */
  moved: boolean
  /** Counts hand-overs in this process, so that a late settlement is told apart. */
  lease: number
}

/** A commit, with the offset up to which it declares messages started. */
export interface Snapshot extends Committed {
  readonly startedUpTo: number
}

/**
 * How far messages that are there anyway are declared started in advance, or as many as two reads may hand over: the price of
 * a crash is as many suspects, the price of less is that reads wait for commits.
 */
const leastAhead = 256
const readsAhead = 2
const nothing: KafkaRecord = { offset: -1, timestampMs: 0, key: null, value: null, headers: [], bytes: 0 }
/** The span between the oldest message that is not done and the newest, at which fetching stops. */
const maxSpan = 12_000

/** What is done, held and waiting of one partition while this consumer owns it. */
export class Progress {
  readonly partition: number
  /** False once others may own the partition: nothing of it may be settled any more. */
  live = true
  /** True while the group changes: nothing of it may be handed over. */
  frozen = false
  dirty = false
  /** Messages that are handed over and not settled. */
  held = 0
  /** The most that one read has had room for. */
  room = 0
  #items: Item[] = []
  #head = 0
  #next: number
  /** Behind the last message that is known to be on the server. */
  #end = 0
  #loaded: ProgressMetadata
  #loadedAt: number
  #handedUpTo = 0
  #startedUpTo: number
  #metadataBytes = 0
  /** Behind the last offset that the loaded commit says anything about. */
  readonly #loadedEnd: number

  constructor(partition: number, { offset, metadata }: Committed) {
    this.partition = partition
    this.#next = offset
    this.#loaded = decodeProgress(metadata)
    this.#loadedAt = offset
    const { startedUpTo, done, marked } = this.#loaded
    this.#startedUpTo = offset + startedUpTo
    let loadedEnd = startedUpTo
    for (const relative of done) loadedEnd = Math.max(loadedEnd, relative + 1)
    for (const relative of marked.keys()) loadedEnd = Math.max(loadedEnd, relative + 1)
    this.#loadedEnd = offset + loadedEnd
    if (this.#loaded.startedUpTo > 0) this.#loaded = { ...this.#loaded, redeliveries: this.#loaded.redeliveries + 1 }
  }
  /** Where fetching goes on. */
  get next(): number {
    return this.#next
  }
  /** The oldest offset that is not done. */
  get base(): number {
    return this.#items[this.#head]?.offset ?? this.#next
  }
  /** Whether more may be fetched: bounded memory comes before progress. */
  get hasRoom(): boolean {
    return this.#next - this.base < maxSpan && this.#metadataBytes < fullMetadataBytes
  }
  /** Takes in fetched records; answers those that are not done. */
  add({ records, next, end }: Fetched, told: (record: KafkaRecord) => number): Item[] {
    const added: Item[] = []
    for (const record of records) {
      if (record.offset < this.#next) continue
      const relative = record.offset - this.#loadedAt
      const item = this.#item(record, relative, told(record))
      this.#items.push(item)
      if (this.#loaded.done.has(relative)) this.#close(item)
      else added.push(item)
    }
    this.#next = Math.max(this.#next, next)
    this.#end = Math.max(this.#next, end)
    // Records that are none of ours move the offset too; without a message behind them nobody else would say so.
    if (added.length === 0) this.#advance()
    return added
  }
  #item(record: KafkaRecord, relative: number, told: number): Item {
    const mark: Mark | undefined = this.#loaded.marked.get(relative)
    const wasStarted = relative < this.#loaded.startedUpTo
    return {
      progress: this,
      offset: record.offset,
      record,
      told,
      attempt: mark === undefined ? told : mark.attempt + (mark.started ? 1 : 0),
      deliveries: wasStarted && mark?.clean !== true ? this.#loaded.redeliveries : 0,
      suspect: mark === undefined ? wasStarted : !mark.clean && wasStarted,
      state: 'waiting',
      started: false,
      moved: false,
      lease: 0,
    }
  }
  /** Answers whether a commit must say so before the message is handed over. */
  hand(item: Item): boolean {
    item.state = 'held'
    this.held += 1
    item.deliveries += 1
    item.lease += 1
    this.#handedUpTo = Math.max(this.#handedUpTo, item.offset + 1)
    if (this.#handedUpTo <= this.#startedUpTo) return false
    this.dirty = true
    return true
  }
  done(item: Item): void {
    this.#close(item)
    this.held -= 1
    this.#advance()
  }
  #close(item: Item): void {
    item.state = 'done'
    item.record = nothing
  }
  /** Given back unharmed. */
  release(item: Item, attempt: number): void {
    item.state = 'waiting'
    this.held -= 1
    item.attempt = attempt
    item.started = false
    item.suspect = false
    this.dirty = true
  }
  /** Not handed over after all. */
  takeBack(item: Item): void {
    item.state = 'waiting'
    this.held -= 1
    item.deliveries -= 1
  }
  start(item: Item): void {
    item.started = true
    this.dirty = true
  }
  #advance(): void {
    this.dirty = true
    while (this.#items[this.#head]?.state === 'done') {
      this.#head += 1
    }
    if (this.#head > 1_024 || this.#head === this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
  }
  /** What to commit now. `exact`: the consumer stops reading, so only what it still holds is suspect. */
  snapshot(exact: boolean): Snapshot {
    const { base } = this
    // Of what waits behind there is nothing to say: most of what is fetched is not looked at.
    const end = Math.max(this.#handedUpTo, this.#loadedEnd)
    const done = new Set<number>()
    const marked = new Map<number, Mark>()
    let lastHeld = base
    for (let index = this.#head; index < this.#items.length; index += 1) {
      const item = this.#items[index]!
      if (item.offset >= end) break
      if (item.state === 'held' || item.suspect) lastHeld = item.offset + 1
    }
    const ahead = Math.min(this.#handedUpTo + Math.max(leastAhead, readsAhead * this.room), this.#end)
    const startedUpTo = Math.max(base, exact ? lastHeld : Math.max(ahead, lastHeld))
    for (let index = this.#head; index < this.#items.length; index += 1) {
      const item = this.#items[index]!
      if (item.offset >= end) break
      const relative = item.offset - base
      if (item.state === 'done') {
        done.add(relative)
        continue
      }
      const before = item.offset < startedUpTo
      const clean = item.state === 'waiting' && !item.suspect && before && (exact || item.deliveries > 0)
      if (item.attempt !== item.told || item.started || clean) {
        marked.set(relative, { attempt: item.attempt, started: item.started, clean })
      }
    }
    // Offsets of the loaded commit that are done and not fetched again yet.
    for (const offset of this.#loaded.done) {
      const at = this.#loadedAt + offset
      if (at >= this.#next) done.add(at - base)
    }
    for (const [offset, mark] of this.#loaded.marked) {
      const at = this.#loadedAt + offset
      if (at >= this.#next) marked.set(at - base, mark)
    }
    const loadedUpTo = this.#loadedAt + this.#loaded.startedUpTo
    const upTo = loadedUpTo > this.#next ? Math.max(loadedUpTo, startedUpTo) : startedUpTo
    const moved = base >= loadedUpTo
    const redeliveries = moved ? 0 : this.#loaded.redeliveries
    const metadata = encodeProgress({ startedUpTo: upTo - base, redeliveries, done, marked })
    this.#metadataBytes = metadata.length
    return { offset: base, metadata, startedUpTo: upTo }
  }
  /** The snapshot with this many messages declared started is durable. */
  committed({ startedUpTo }: Snapshot): void {
    this.#startedUpTo = startedUpTo
  }
}
