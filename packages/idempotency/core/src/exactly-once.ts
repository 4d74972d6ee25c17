import {
  type Batch,
  type BatchHandler,
  checkFunction,
  checkKnown,
  crashPoint,
  type Delivery,
  evtError,
  type Handler,
  type HandlerResult,
  isEvtError,
  type Message,
  retry,
  type Transactions,
} from '@evt/core'
import type { Entered, InboxStore } from './inbox-store.ts'
import { messageKey } from './message-key.ts'

export interface ExactlyOnceOptions<Transaction> {
  /** Transactions of the database that holds effect and inbox; the bus's outbox must be of the same. */
  readonly transactions: Pick<Transactions<Transaction>, 'run'> & { readonly scope?: string | undefined }
  readonly inbox: InboxStore<Transaction>
  /** Told of every delivery whose effect is there already. */
  readonly onDuplicate?: ((delivery: Delivery) => void) | undefined
}
export type OnceHandler<Name extends string, Payload, Transaction> = (
  payload: Payload,
  delivery: Delivery<Name, Payload>,
  transaction: Transaction,
) => HandlerResult | Promise<HandlerResult>
export type OnceBatchHandler<Name extends string, Payload, Transaction> = (
  payloads: readonly Payload[],
  deliveries: readonly Delivery<Name, Payload>[],
  transaction: Transaction,
) => void | Promise<void>

export interface ExactlyOnce<Transaction> {
  <Name extends string, Payload>(handler: OnceHandler<Name, Payload, Transaction>): Handler<Name, Payload>
  /** One transaction for the whole batch; when it fails, halves of it, until what fails stands alone. */
  batch<Name extends string, Payload>(
    handler: OnceBatchHandler<Name, Payload, Transaction>,
  ): BatchHandler<Name, Payload>
}

const heldRetryMs = 100

/**
 * Wraps handlers so that inbox entry, effect and outgoing messages commit together: the effect happens once in this
 * database, as long as the inbox remembers the message. What a handler does elsewhere may happen more often. Throws
 * `EVT_TRANSACTION_FOREIGN` where inbox and transactions are known to be of different databases.
 */
export function exactlyOnce<Transaction>(options: ExactlyOnceOptions<Transaction>): ExactlyOnce<Transaction> {
  checkKnown('exactlyOnce', options, ['transactions', 'inbox', 'onDuplicate'])
  const { transactions, inbox, onDuplicate } = options
  checkFunction('transactions.run', transactions?.run)
  checkFunction('inbox.enter', inbox?.enter)
  const [expected, actual] = [transactions.scope, inbox.scope]
  if (expected !== undefined && actual !== undefined && expected !== actual) {
    const text = `The inbox is in database ${actual}, the transactions are of ${expected}: they could not commit together`
    throw evtError('EVT_TRANSACTION_FOREIGN', text, { expected, actual })
  }

  const once =
    <Name extends string, Payload>(handler: OnceHandler<Name, Payload, Transaction>): Handler<Name, Payload> =>
    async (payload, delivery) => {
      await uncountedWhenUnknown(() =>
        transactions.run(async (transaction) => {
          const [entered] = await inbox.enter(transaction, delivery.consumer, [messageKey(delivery)])
          if (entered === 'done') return onDuplicate?.(delivery)
          if (entered === 'held') retry(held(), { afterMs: heldRetryMs, counted: false })
          crashPoint('inbox.entered')
          const result = await handler(payload, delivery, transaction)
          crashPoint('inbox.handled')
          if (result === undefined) return
          const messages = (Array.isArray(result) ? result : [result]) as readonly Message[]
          await delivery.publishDerived(messages, { transaction })
        }),
      )
    }

  const batch =
    <Name extends string, Payload>(
      handler: OnceBatchHandler<Name, Payload, Transaction>,
    ): BatchHandler<Name, Payload> =>
    async (payloads, { deliveries }: Batch<Name, Payload>) => {
      const results: PromiseSettledResult<unknown>[] = deliveries.map(() => ({ status: 'fulfilled', value: undefined }))
      const attempt = async (indexes: readonly number[]): Promise<void> => {
        try {
          await transactions.run(async (transaction) => {
            const chosen = indexes.map((index) => deliveries[index]!)
            const entered = await inbox.enter(
              transaction,
              chosen[0]!.consumer,
              chosen.map((delivery) => messageKey(delivery)),
            )
            const fresh = indexes.filter((_index, place) => entered[place] === 'fresh')
            note(entered, indexes)
            if (fresh.length > 0) {
              await handler(
                fresh.map((index) => payloads[index]!),
                fresh.map((index) => deliveries[index]!),
                transaction,
              )
            }
          })
        } catch (reason) {
          if (indexes.length === 1 || isOutage(reason)) {
            for (const index of indexes)
              results[index] = { status: 'rejected', reason: isOutage(reason) ? uncounted(reason) : reason }
            return
          }
          const middle = indexes.length >> 1
          await attempt(indexes.slice(0, middle))
          await attempt(indexes.slice(middle))
        }
      }
      const note = (entered: readonly Entered[], indexes: readonly number[]) => {
        for (const [place, index] of indexes.entries()) {
          if (entered[place] === 'done') onDuplicate?.(deliveries[index]!)
          if (entered[place] === 'held') results[index] = { status: 'rejected', reason: uncounted(held()) }
        }
      }
      await attempt(deliveries.map((_delivery, index) => index))
      return results
    }
  return Object.assign(once, { batch })
}

/** Behind an inbox an unknown outcome is safe to repeat, and a database that is down is not the message's failure. */
async function uncountedWhenUnknown(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (isOutage(error)) retry(error, { counted: false })
    throw error
  }
}

function isOutage(error: unknown): boolean {
  return isEvtError(error) && (error.code === 'EVT_TX_OUTCOME_UNKNOWN' || error.retryable)
}

function uncounted(cause: unknown): unknown {
  try {
    return retry(cause, { afterMs: heldRetryMs, counted: false })
  } catch (thrown) {
    return thrown
  }
}

function held(): Error {
  return new Error('another delivery of this message is being handled')
}
