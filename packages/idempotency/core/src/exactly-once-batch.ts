import { type Batch, type BatchHandler, crashPoint, retry, systemClock } from '@evt/core'
import { endOfCommitted, failureOfRun, isBlameless, resultOf, throwIfAborted } from './blame.ts'
import { divide } from './divide.ts'
import { Division } from './division.ts'
import type { ExactlyOnceOptions, OnceBatchHandler } from './exactly-once.ts'
import type { Entered } from './inbox-store.ts'
import { messageKey } from './message-key.ts'

const fulfilled: PromiseSettledResult<unknown> = Object.freeze({ status: 'fulfilled', value: undefined })
/** After so many sets in a row of which nothing failed, one is begun without a savepoint, which costs a round trip. */
const calmAfter = 100
const nobody: ReadonlyMap<number, unknown> = new Map()

/** One transaction for a batch. Where the handler fails it is run for halves, until what fails stands alone. */
export function batchOnce<Name extends string, Payload, Transaction>(
  { transactions, inbox, onDuplicate, clock = systemClock }: ExactlyOnceOptions<Transaction>,
  handler: OnceBatchHandler<Name, Payload, Transaction>,
): BatchHandler<Name, Payload> {
  let calmSets = 0
  return async (payloads, { deliveries }: Batch<Name, Payload>) => {
    const results: PromiseSettledResult<unknown>[] = deliveries.map(() => fulfilled)
    const end = (place: number, run: () => void) => {
      try {
        run()
      } catch (reason) {
        results[place] = { status: 'rejected', reason }
      }
    }
    const of = (places: readonly number[]) =>
      places.length === deliveries.length ? deliveries : places.map((place) => deliveries[place]!)
    const isFinal = (places: readonly number[], error: unknown, handlerBegan = true) =>
      // After an abort nothing is tried any more.
      isBlameless(error, handlerBegan) || of(places).some(({ abortReason }) => abortReason !== undefined)
    const handle = async (places: readonly number[], transaction: Transaction) => {
      const chosen = of(places)
      throwIfAborted(chosen)
      const own = chosen === deliveries ? payloads : places.map((place) => payloads[place]!)
      await resultOf(() => handler(own, chosen, transaction))
      crashPoint('inbox.handled')
      throwIfAborted(chosen)
    }

    const division = new Division(deliveries.map((_delivery, place) => place))
    let { savepoints } = inbox
    let isWary = calmSets < calmAfter
    let hasFailed = false
    /** What waits has failed as a whole. */
    let isSuspect = false
    /** Runs one transaction: for all that waits where it can be divided in there, else for the next part. */
    const runNext = async () => {
      const dividing = isWary ? savepoints : undefined
      const part = savepoints === undefined ? division.take()! : division.takeAll()
      const { places } = part
      const keys = places.map((place) => messageKey(deliveries[place]!))
      const { consumer } = deliveries[0]!
      let entered: readonly Entered[] = []
      let handlerBegan = false
      let failed = nobody
      let left: readonly number[] = []
      /** What the inbox has told of a message: of the second of two equal ones, what has become of the first. */
      const told = (index: number, isLost: (place: number) => boolean): Entered => {
        if (entered[index] !== 'done') return entered[index] ?? 'fresh'
        const first = keys.indexOf(keys[index]!)
        return entered[first] === 'fresh' && isLost(places[first]!) ? 'held' : 'done'
      }
      try {
        await transactions.run(async (transaction) => {
          entered = await inbox.enter(transaction, consumer, keys)
          const fresh = places.filter((_place, index) => entered[index] === 'fresh')
          if (fresh.length === 0) return
          crashPoint('inbox.entered')
          throwIfAborted(of(places))
          handlerBegan = true
          if (dividing === undefined) return await handle(fresh, transaction)
          const inside = new Division(fresh, isSuspect)
          isSuspect = false
          failed = await divide(inside, { transaction, attempt: dividing.attempt, clock, handle, isFinal })
          left = inside.takeAll().places
          const unhandled = [...failed.keys(), ...left].map((place) => messageKey(deliveries[place]!))
          if (unhandled.length > 0) await dividing.leave(transaction, consumer, unhandled)
          throwIfAborted(of(places))
        })
      } catch (reason) {
        const isTried = isFinal(places, reason, handlerBegan) || places.length === 1
        hasFailed = true
        if (!isTried && savepoints !== undefined && !isWary) {
          isWary = true
          isSuspect = true
          return division.putBack(places)
        }
        // From here on each part has a transaction of its own: whatever ended this one may end another that holds as much.
        savepoints = undefined
        if (!isTried && division.halve(part)) return
        const uncounted = isBlameless(reason, handlerBegan)
        for (const [index, place] of places.entries()) {
          end(place, () => {
            const own = told(index, () => true)
            if (own !== 'fresh') return endOfCommitted(own, deliveries[place]!)
            if (uncounted) retry(reason, { counted: false })
            throw failureOfRun(reason)
          })
        }
        return
      }
      hasFailed ||= failed.size > 0
      const isLost = (place: number) => failed.has(place) || left.includes(place)
      for (const [index, place] of places.entries()) {
        if (left.includes(place)) continue
        const own = told(index, isLost)
        if (own === 'done') onDuplicate?.(deliveries[place]!)
        end(place, () => {
          if (failed.has(place)) throw failureOfRun(failed.get(place))
          endOfCommitted(own, deliveries[place]!)
        })
      }
      division.putBack(left)
    }
    while (!division.isOver) await runNext()
    calmSets = hasFailed ? 0 : calmSets + 1
    return results
  }
}
