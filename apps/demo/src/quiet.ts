import { setTimeout as delay } from 'node:timers/promises'
import type { Bus } from '@evt/core'
import type { PgTransaction } from '@evt/pg'
import type { Database } from './database.ts'
import type { OpenOrders } from './open-orders.ts'

const patienceMs = 60_000

export interface QuietParts {
  readonly bus: Bus<PgTransaction>
  readonly database: Pick<Database, 'outbox'>
  readonly open: OpenOrders
  /** The patience once the signal is aborted. */
  readonly drainMs: number
  readonly signal: AbortSignal
}

/** Waits until every order is finished and the outbox is empty, as long as something moves. */
export async function untilQuiet({ bus, database, open, drainMs, signal }: QuietParts): Promise<void> {
  let last = ''
  let movedMs = performance.now()
  for (;;) {
    // The database may be away for a moment.
    const waiting = await database.outbox.count().then(
      (count) => count.waiting,
      () => 'unknown',
    )
    if (open.size === 0 && waiting === 0) return
    const now = `${open.finished} ${waiting}`
    if (now !== last) movedMs = performance.now()
    last = now
    const limitMs = signal.aborted ? drainMs : patienceMs
    if (performance.now() - movedMs > limitMs) {
      const { parts } = await bus.health()
      const states = parts.map((part) => `${part.name} is ${part.status}`).join(', ')
      process.stdout.write(`Nothing moved for ${limitMs} ms: ${states}\n`)
      return
    }
    await delay(50)
  }
}
