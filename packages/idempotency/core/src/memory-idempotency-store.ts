import { type Clock, checkKnown, evtError, systemClock, wholeNumber } from '@evt/core'
import type {} from './errors.ts'
import type { Claim, Claimed, IdempotencyStore } from './idempotency-store.ts'

interface Entry {
  owner: string
  fence: bigint
  done: boolean
  untilMs: number
}
export interface MemoryIdempotencyOptions {
  /** Messages remembered. When full, the one handled longest ago is forgotten early. Default 100,000. */
  readonly maxEntries?: number | undefined
  readonly clock?: Clock | undefined
}

/** Claims and handled messages of this process, lost with it. */
export function memoryIdempotencyStore(options: MemoryIdempotencyOptions = {}): IdempotencyStore {
  checkKnown('memoryIdempotencyStore', options, ['maxEntries', 'clock'])
  const maxEntries = wholeNumber('maxEntries', options.maxEntries, { min: 1, default: 100_000 })
  const clock = options.clock ?? systemClock
  // In the order in which entries were last claimed or completed.
  const entries = new Map<string, Entry>()

  const place = (consumer: string, key: string) => `${consumer}\n${key}`
  const makeRoom = () => {
    if (entries.size < maxEntries) return
    const nowMs = clock.monotonicMs()
    for (const [at, entry] of entries) {
      if (!entry.done && entry.untilMs > nowMs) continue
      entries.delete(at)
      return
    }
    const message = `The memory store keeps ${maxEntries} messages and all of them are being handled`
    throw evtError('EVT_IDEMPOTENCY_FULL', message, { maxEntries }, { retryable: true })
  }
  const claimOne = (at: string, owner: string, leaseMs: number): Claimed => {
    const nowMs = clock.monotonicMs()
    const found = entries.get(at)
    if (found !== undefined && found.untilMs > nowMs) {
      return found.done ? { status: 'done' } : { status: 'held', retryAfterMs: found.untilMs - nowMs }
    }
    entries.delete(at)
    makeRoom()
    const fence = (found?.fence ?? 0n) + 1n
    entries.set(at, { owner, fence, done: false, untilMs: nowMs + leaseMs })
    return { status: 'claimed', fence }
  }
  const change = (claims: readonly Claim[], apply: (entry: Entry, at: string) => void) =>
    claims.map(({ consumer, key, owner, fence }) => {
      const at = place(consumer, key)
      const entry = entries.get(at)
      if (entry === undefined || entry.done || entry.owner !== owner || entry.fence !== fence) return false
      apply(entry, at)
      return true
    })
  return {
    name: 'memory',
    async claim(consumer, keys, { owner, leaseMs }) {
      return keys.map((key) => claimOne(place(consumer, key), owner, leaseMs))
    },
    async renew(claims, leaseMs) {
      return change(claims, (entry) => {
        entry.untilMs = clock.monotonicMs() + leaseMs
      })
    },
    async complete(claims, ttlMs) {
      return change(claims, (entry, at) => {
        entry.done = true
        entry.untilMs = clock.monotonicMs() + ttlMs
        entries.delete(at)
        entries.set(at, entry)
      })
    },
    async release(claims) {
      return change(claims, (entry) => {
        entry.owner = ''
        entry.untilMs = 0
      })
    },
  }
}
