import type { Timer } from '../clock.ts'
import type { Watched } from '../deadline-list.ts'
import type { ReceivedDelivery } from '../delivery.ts'
import { describeThrown } from '../errors.ts'
import type { Rostered } from '../roster.ts'
import type { ErrorRecord, TransportDelivery } from '../transport.ts'
import type { Lane } from './lanes.ts'

/** One fetched message from its read to its settlement. */
export class Entry implements Watched<Entry>, Rostered {
  received: TransportDelivery
  readonly bytes: number
  /** The lane of its key, which it holds or waits in. */
  readonly lane: Lane | undefined
  state: 'waiting' | 'held' | 'running' | 'settling' | 'gone' = 'waiting'
  attempt: number
  delivery: ReceivedDelivery | undefined
  history: ErrorRecord[] | undefined
  timer: Timer | undefined
  /** Monotonic: when a held retry is due, or when a running handler times out. */
  dueMs = 0
  timedOut = false
  lost = false
  /** It has ended its process too often. It stays so while its dead letter cannot be kept. */
  isPoison = false
  /** It runs without a lease, straight from a transport of this process. */
  isDirect = false
  before: Entry | undefined
  after: Entry | undefined
  isListed = false
  isDue = false
  place = -1
  number = 0

  constructor(received: TransportDelivery, bytes: number, lane: Lane | undefined) {
    this.received = received
    this.attempt = received.attempt
    this.bytes = bytes
    this.lane = lane
  }
}

/** Names and codes are words; whoever throws decides how long they are. */
const maxWord = 200

/** What happened to an attempt, as kept with the dead letter. */
export function errorRecord(error: unknown, attempt: number, nowMs: number): ErrorRecord {
  const { name, code } = traitsOf(error)
  return {
    attempt,
    name: typeof name === 'string' ? name.slice(0, maxWord) : typeof error,
    message: describeThrown(error).slice(0, 2_048),
    code: typeof code === 'string' ? code.slice(0, maxWord) : undefined,
    at: new Date(nowMs).toISOString(),
  }
}

/** A getter of what a handler threw may throw in its turn. */
function traitsOf(error: unknown): { readonly name?: unknown; readonly code?: unknown } {
  try {
    const { name, code } = error as { name?: unknown; code?: unknown }
    return error instanceof Error ? { name, code } : { code }
  } catch {
    return {}
  }
}
