import {
  type BatchHandler,
  type Clock,
  checkFunction,
  checkKnown,
  crashPoint,
  type Delivery,
  evtError,
  type Handler,
  type HandlerResult,
  type Message,
  retry,
  type Transactions,
} from '@evt/core'
import { endOfCommitted, failureOfRun, isBlameless, resultOf, throwIfAborted } from './blame.ts'
import { batchOnce } from './exactly-once-batch.ts'
import type { Entered, InboxStore } from './inbox-store.ts'
import { messageKey } from './message-key.ts'

export interface ExactlyOnceOptions<Transaction> {
  /** Transactions of the database that holds effect and inbox; the bus's outbox must be of the same. */
  readonly transactions: Pick<Transactions<Transaction>, 'run'> & { readonly scope?: string | undefined }
  readonly inbox: InboxStore<Transaction>
  /** Told of every delivery whose effect is there already. */
  readonly onDuplicate?: ((delivery: Delivery) => void) | undefined
  /** Default: the system's. */
  readonly clock?: Clock | undefined
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
  /**
   * One transaction for the whole batch. When the handler fails it is run for halves, until what fails stands alone: each in a
   * savepoint where the inbox has such, so that all that succeeded commits together, else in a transaction of its own.
   */
  batch<Name extends string, Payload>(
    handler: OnceBatchHandler<Name, Payload, Transaction>,
  ): BatchHandler<Name, Payload>
}

/**
 * Wraps handlers so that inbox entry, effect and outgoing messages commit together: the effect happens once in this
 * database, as long as the inbox remembers the message. What a handler does elsewhere may happen more often. A run that is
 * aborted before its commit leaves nothing; one that has committed counts, however late. A handler that ends with
 * `acknowledge` has succeeded: what it did is committed. Throws `EVT_TRANSACTION_FOREIGN` where inbox and transactions are
 * known to be of different databases.
 */
export function exactlyOnce<Transaction>(options: ExactlyOnceOptions<Transaction>): ExactlyOnce<Transaction> {
  checkKnown('exactlyOnce', options, ['transactions', 'inbox', 'onDuplicate', 'clock'])
  const { transactions, inbox, onDuplicate } = options
  checkFunction('transactions.run', transactions?.run)
  checkFunction('inbox.enter', inbox?.enter)
  const [expected, actual] = [transactions.scope, inbox.scope]
  if (expected !== undefined && actual !== undefined && expected !== actual) {
    const text = `The inbox is in database ${actual}, the transactions are of ${expected}: they could not commit together`
    throw evtError('EVT_TRANSACTION_FOREIGN', text, { expected, actual })
  }

  const once = <Name extends string, Payload>(
    handler: OnceHandler<Name, Payload, Transaction>,
  ): Handler<Name, Payload> => {
    checkFunction('handler', handler)
    return async (payload, delivery) => {
      let entered: Entered | undefined
      let handlerBegan = false
      try {
        await transactions.run(async (transaction) => {
          entered = (await inbox.enter(transaction, delivery.consumer, [messageKey(delivery)]))[0]
          if (entered !== 'fresh') return
          crashPoint('inbox.entered')
          throwIfAborted([delivery])
          handlerBegan = true
          const result = await resultOf(() => handler(payload, delivery, transaction))
          crashPoint('inbox.handled')
          if (result !== undefined) {
            const messages = (Array.isArray(result) ? result : [result]) as readonly Message[]
            await delivery.publishDerived(messages, { transaction })
          }
          throwIfAborted([delivery])
        })
      } catch (error) {
        if (isBlameless(error, handlerBegan)) retry(error, { counted: false })
        throw failureOfRun(error)
      }
      if (entered === 'done') onDuplicate?.(delivery)
      endOfCommitted(entered!, delivery)
    }
  }
  return Object.assign(once, {
    batch<Name extends string, Payload>(handler: OnceBatchHandler<Name, Payload, Transaction>) {
      checkFunction('handler', handler)
      return batchOnce(options, handler)
    },
  })
}
