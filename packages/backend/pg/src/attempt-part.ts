import { runInPlaceOf } from './ambient.ts'
import { sqlState } from './errors.ts'
import type { PgAnswer } from './pg-pool.ts'
import { control, type PgTransaction } from './pg-transaction.ts'
import { openTransaction } from './transaction-handle.ts'

export type PartOutcome =
  | { readonly status: 'kept' }
  /** Nothing of it is left, and the transaction can go on. */
  | { readonly status: 'undone'; readonly error: unknown }

/**
 * Runs work as a part of a transaction, in a savepoint; one part at a time. The part has a handle of its own, which ends with it:
 * what the work left running can reach neither the next part nor the whole. What is to be done at COMMIT is kept only with the
 * part. Rejects where the transaction as a whole is over: it was lost, or the server wants all of it again (class 40).
 */
export async function attemptPart(
  whole: PgTransaction,
  work: (part: PgTransaction) => Promise<unknown>,
): Promise<PartOutcome> {
  const state = whole[control]
  const leave = state.enter()
  const earlier = state.failure
  const savepoint = `evt_part_${state.depth}`
  let opening: Promise<unknown> | undefined
  let isOpened = state.isSavepointSet
  let isUsed = false
  let waiting = 0
  let unanswered = 0
  const query = async (sql: string, values?: unknown[]): Promise<PgAnswer> => {
    unanswered += 1
    try {
      // With the first statement, so that a part that asks nothing of the server costs nothing.
      if (!isOpened || waiting > 0) {
        waiting += 1
        opening ??= whole.query(`savepoint ${savepoint}`)
        try {
          // Nothing but this: whoever waits is to send before the end of the part does, which waits for the same.
          await opening
        } finally {
          waiting -= 1
        }
        isOpened = true
      }
      isUsed = true
      return await whole.query(sql, values)
    } finally {
      unanswered -= 1
    }
  }
  const part = openTransaction({ query }, whole.scope, undefined, { isOwned: state.isOwned, depth: state.depth + 1 })
  try {
    await runInPlaceOf(whole, part.handle, () => work(part.handle))
    const doom = part.seal()
    await opening
    if (doom !== undefined) throw doom.error
    // Where a statement has failed, or one that nobody waited for still may, the server is asked whether it would go on.
    if (unanswered > 0 || part.failure() !== undefined) await whole.query(`release savepoint ${savepoint}`)
    part.handOver(whole)
    leave()
    return { status: 'kept' }
  } catch (thrown) {
    part.close()
    const error = sqlState(thrown) === '25P02' ? (part.failure()?.error ?? thrown) : thrown
    try {
      // Whoever waits for the savepoint sends before this does.
      await opening
      if (isUsed) {
        await whole.query(`rollback to savepoint ${savepoint}`)
        state.isSavepointSet = true
      }
      if ([error, part.failure()?.error].some(wantsAllAgain)) throw error
    } catch {
      leave({ error })
      throw error
    }
    state.failure = earlier
    leave()
    return { status: 'undone', error }
  }
}

/** After a deadlock or a serialization failure: going on would keep the locks and the snapshot that it came from. */
function wantsAllAgain(error: unknown): boolean {
  return sqlState(error)?.startsWith('40') === true
}
