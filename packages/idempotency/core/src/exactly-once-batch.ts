import { type Batch, type BatchHandler, crashPoint, retry } from '@evt/core'
import { endOfCommitted, failureOfRun, isBlameless, resultOf, throwIfAborted } from './blame.ts'
import type { ExactlyOnceOptions, OnceBatchHandler } from './exactly-once.ts'
import type { Entered } from './inbox-store.ts'
import { messageKey } from './message-key.ts'

const fulfilled: PromiseSettledResult<unknown> = Object.freeze({ status: 'fulfilled', value: undefined })

/** One transaction for a batch; where it fails, for halves of it, until what fails stands alone. */
export function batchOnce<Name extends string, Payload, Transaction>(
  { transactions, inbox, onDuplicate }: ExactlyOnceOptions<Transaction>,
  handler: OnceBatchHandler<Name, Payload, Transaction>,
): BatchHandler<Name, Payload> {
  return async (payloads, { deliveries }: Batch<Name, Payload>) => {
    const results: PromiseSettledResult<unknown>[] = deliveries.map(() => fulfilled)
    const end = (index: number, run: () => void) => {
      try {
        run()
      } catch (reason) {
        results[index] = { status: 'rejected', reason }
      }
    }
    /** Runs messages in one transaction, or halves of them; answers whether none of them failed. */
    const attempt = async (indexes: readonly number[]): Promise<boolean> => {
      const chosen = indexes.map((index) => deliveries[index]!)
      let entered: readonly Entered[] = []
      let handlerBegan = false
      try {
        await transactions.run(async (transaction) => {
          const keys = chosen.map((delivery) => messageKey(delivery))
          entered = await inbox.enter(transaction, chosen[0]!.consumer, keys)
          const fresh = indexes.filter((_index, place) => entered[place] === 'fresh')
          if (fresh.length === 0) return
          crashPoint('inbox.entered')
          throwIfAborted(chosen)
          handlerBegan = true
          const isWhole = fresh.length === deliveries.length
          await resultOf(() =>
            handler(
              isWhole ? payloads : fresh.map((index) => payloads[index]!),
              isWhole ? deliveries : fresh.map((index) => deliveries[index]!),
              transaction,
            ),
          )
          crashPoint('inbox.handled')
          throwIfAborted(chosen)
        })
      } catch (reason) {
        const uncounted = isBlameless(reason, handlerBegan)
        // After an abort nothing is tried any more.
        const isOver = uncounted || indexes.length === 1 || chosen.some(({ abortReason }) => abortReason !== undefined)
        if (!isOver) return halve(indexes)
        for (const [place, index] of indexes.entries()) {
          end(index, () => {
            const own = entered[place] ?? 'fresh'
            if (own !== 'fresh') return endOfCommitted(own, deliveries[index]!)
            if (uncounted) retry(reason, { counted: false })
            throw failureOfRun(reason)
          })
        }
        return false
      }
      for (const [place, index] of indexes.entries()) {
        if (entered[place] === 'done') onDuplicate?.(deliveries[index]!)
        end(index, () => endOfCommitted(entered[place]!, deliveries[index]!))
      }
      return true
    }
    const halve = async (indexes: readonly number[]): Promise<boolean> => {
      const middle = indexes.length >> 1
      const [first, second] = [indexes.slice(0, middle), indexes.slice(middle)]
      // Where the first half holds nothing that fails, the second does: as a whole it need not be tried.
      if ((await attempt(first)) && second.length > 1) await halve(second)
      else await attempt(second)
      return false
    }
    if (deliveries.length > 0) await attempt(deliveries.map((_delivery, index) => index))
    return results
  }
}
