import { Queue } from './consumer/queue.ts'
import type { Room } from './transport.ts'

export interface PushSourceOptions<Item> {
  readonly bytesOf: (item: Item) => number
  /** Items and bytes at which the client is told to pause; it resumes below half of both. */
  readonly limit: Room
  readonly pause: () => void
  readonly resume: () => void
}

/** Makes a client that pushes one that is read from: a bounded queue with pause and resume. */
export interface PushSource<Item> {
  readonly size: number
  /** Takes an item in, also beyond the limit: a client may have some on the way when it is told to pause. */
  push(item: Item): void
  /** Waits for at least one item, the signal or `close`; empty for the latter two. */
  read(room: Room, signal: AbortSignal): Promise<readonly Item[]>
  /** Takes out the waiting items that match, such as those of a revoked partition. */
  remove(matches: (item: Item) => boolean): readonly Item[]
  /** Ends waiting reads and answers what was never read. */
  close(): readonly Item[]
}

export function pushSource<Item>({ bytesOf, limit, pause, resume }: PushSourceOptions<Item>): PushSource<Item> {
  const queue = new Queue<Item>()
  let bytes = 0
  let paused = false
  let closed = false
  let wake: (() => void) | undefined

  const low = () => queue.size * 2 < limit.messages && bytes * 2 < limit.bytes
  const resumeWhenLow = () => {
    if (!paused || closed || !low()) return
    paused = false
    resume()
  }
  const arrival = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done)
        wake = undefined
        resolve()
      }
      wake = done
      signal.addEventListener('abort', done)
    })
  return {
    get size() {
      return queue.size
    },
    push(item) {
      if (closed) return
      queue.push(item)
      bytes += bytesOf(item)
      if (!paused && (queue.size >= limit.messages || bytes >= limit.bytes)) {
        paused = true
        pause()
      }
      wake?.()
    },
    async read(room, signal) {
      while (queue.size === 0) {
        if (signal.aborted || closed) return []
        await arrival(signal)
      }
      const taken: Item[] = []
      let takenBytes = 0
      for (let item = queue.peek(); item !== undefined && taken.length < room.messages; item = queue.peek()) {
        const size = bytesOf(item)
        if (taken.length > 0 && takenBytes + size > room.bytes) break
        queue.shift()
        bytes -= size
        takenBytes += size
        taken.push(item)
      }
      resumeWhenLow()
      return taken
    },
    remove(matches) {
      const removed: Item[] = []
      for (const item of queue.drain()) {
        if (matches(item)) {
          removed.push(item)
          bytes -= bytesOf(item)
        } else queue.push(item)
      }
      resumeWhenLow()
      return removed
    },
    close() {
      closed = true
      wake?.()
      bytes = 0
      return queue.drain()
    },
  }
}
