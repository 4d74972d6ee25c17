import type { Clock } from '@evt/core'
import type { Division } from './division.ts'
import type { InboxSavepoints } from './inbox-store.ts'

/** PostgreSQL keeps 64 subtransactions of a connection at hand; with more of them everybody else reads slower. */
const mostKept = 32
/** After which what has succeeded is committed: it keeps its locks no longer, and a timeout does not take it back. */
const longestMs = 1_000

/** How a set is divided inside its transaction. */
export interface Dividing<Transaction> {
  readonly transaction: Transaction
  readonly attempt: InboxSavepoints<Transaction>['attempt']
  readonly clock: Clock
  handle(places: readonly number[], part: Transaction): Promise<void>
  /** Whether a failure ends the transaction instead of dividing further. */
  isFinal(places: readonly number[], error: unknown): boolean
}

/** Tries what waits, each part in a savepoint. Answers what failed alone; what there was no room for waits still. */
export async function divide<Transaction>(
  division: Division,
  { transaction, attempt, clock, handle, isFinal }: Dividing<Transaction>,
): Promise<ReadonlyMap<number, unknown>> {
  const failed = new Map<number, unknown>()
  const endMs = clock.monotonicMs() + longestMs
  let kept = 0
  const isEnough = () => kept >= mostKept || (kept + failed.size > 0 && clock.monotonicMs() >= endMs)
  while (!division.isOver && !isEnough()) {
    const part = division.take()!
    const outcome = await attempt(transaction, (own) => handle(part.places, own))
    if (outcome.status === 'kept') {
      kept += 1
      division.succeeded(part)
    } else if (isFinal(part.places, outcome.error)) throw outcome.error
    else if (!division.halve(part)) failed.set(part.places[0]!, outcome.error)
  }
  return failed
}
