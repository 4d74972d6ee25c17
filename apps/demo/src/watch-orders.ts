import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from './database.ts'
import type { OpenOrders } from './open-orders.ts'
import { deadOrders, endedOrders } from './unfinished-orders.ts'

export interface Watch {
  readonly database: Database
  readonly open: OpenOrders
  readonly everyMs: number
  /** After so long without a new order or an end, and with nothing left to publish, open orders count as lost; undefined: never. */
  readonly lostAfterMs: number | undefined
  readonly signal: AbortSignal
}

/**
 * Looks in the database for orders that ended where this process was not told: in another one, or by a commit whose answer
 * was lost.
 */
export async function watchOrders({ database, open, everyMs, lostAfterMs, signal }: Watch): Promise<void> {
  const { pool, deadLetters, outbox } = database
  let last = ''
  let movedMs = performance.now()
  while (!signal.aborted) {
    await delay(everyMs, undefined, { signal }).catch(() => undefined)
    try {
      const ids = open.ids()
      for (const id of await endedOrders(pool, ids)) open.ended(id)
      if (ids.some((id) => open.has(id))) for (const id of await deadOrders(deadLetters)) open.ended(id)
      const { waiting } = lostAfterMs === undefined ? { waiting: 1 } : await outbox.count()
      const now = `${open.finished} ${ids.at(-1)}`
      if (now !== last || waiting > 0 || open.size === 0) movedMs = performance.now()
      last = now
      if (lostAfterMs !== undefined && performance.now() - movedMs > lostAfterMs) open.forget(ids)
    } catch {
      // The database is away for a moment; whoever works with it says so.
    }
  }
}
