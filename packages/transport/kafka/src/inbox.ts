import { type PushSource, pushSource, type Room } from '@evt/core'
import type { Item } from './progress.ts'

/** What is fetched and not handed over. */
export interface Inbox {
  readonly size: number
  /** No more should be fetched. */
  readonly isFull: boolean
  push(items: readonly Item[]): void
  take(room: Room, signal: AbortSignal): Promise<readonly Item[]>
  /** Ends a wait, so that the reader looks at what has changed. */
  interrupt(): void
  /** Back into the queue, each partition in its order; frozen ones when they thaw. */
  putBack(items: readonly Item[]): void
  /** Takes frozen ones out of the reader's way. */
  freeze(): void
  thaw(): void
  /** Forgets what others may have by now. */
  forgetLost(): void
  close(): void
}

const maxMessages = 2_000
const maxBytes = 1_024 * 1_024
const itemBytes = 200

export function createInbox(onRoom: () => void): Inbox {
  let isFull = false
  let aside: Item[] = []
  let asked: AbortSignal | undefined
  let stop = new AbortController()
  const end = () => stop.abort()
  const source: PushSource<Item> = pushSource<Item>({
    bytesOf: (item) => item.record.bytes + itemBytes,
    limit: { messages: maxMessages, bytes: maxBytes },
    pause() {
      isFull = true
    },
    resume() {
      isFull = false
      onRoom()
    },
  })
  const putBack = (items: readonly Item[]) => {
    const live = items.filter((item) => item.progress.live)
    aside.push(...live.filter((item) => item.progress.frozen))
    const back = live.filter((item) => !item.progress.frozen)
    if (back.length === 0) return
    // What was given back is older than what waits.
    const all = [...back, ...source.remove(() => true)]
    all.sort((left, right) => left.progress.partition - right.progress.partition || left.offset - right.offset)
    for (const item of all) source.push(item)
  }
  return {
    putBack,
    get size() {
      return source.size
    },
    get isFull() {
      return isFull
    },
    push(items) {
      for (const item of items) if (item.progress.live) source.push(item)
    },
    take(room, signal) {
      // Core hands over the same signal for many reads, and most of them find something.
      if (signal !== asked) {
        asked?.removeEventListener('abort', end)
        asked = signal
        signal.addEventListener('abort', end, { once: true })
        if (signal.aborted) end()
      }
      if (stop.signal.aborted && !signal.aborted) stop = new AbortController()
      return source.read(room, stop.signal)
    },
    interrupt: end,
    freeze() {
      aside.push(...source.remove((item) => item.progress.frozen))
    },
    thaw() {
      putBack(aside.splice(0))
    },
    forgetLost() {
      source.remove((item) => !item.progress.live)
      aside = aside.filter((item) => item.progress.live)
    },
    close() {
      asked?.removeEventListener('abort', end)
      source.close()
    },
  }
}
