import { type Clock, checkKnown, type Outbox } from '@evt/core'
import { memoryOutboxStore } from './memory-outbox-store.ts'
import { type MemoryTransaction, type MemoryTransactions, memoryTransactions } from './memory-transactions.ts'
import type { OutboxStore } from './outbox-store.ts'
import { createRelay, type Relay, type RelayOptions } from './relay.ts'

export interface MemoryOutboxOptions {
  /** `false`: rows are written and never published by themselves. */
  readonly relay?: false | RelayOptions | undefined
  readonly clock?: Clock | undefined
}
/** Outbox and transactions of this process, lost with it. */
export interface MemoryOutbox extends Outbox<MemoryTransaction>, Omit<MemoryTransactions, 'ambient' | 'resolve'> {
  ambient(): MemoryTransaction | undefined
  readonly relay: Pick<Relay, 'drain'>
  readonly store: Outbox['store']
  count: OutboxStore<never>['count']
}

/** An outbox that behaves as one in a database does: rollback throws rows away, a closed transaction is refused. */
export function memoryOutbox(options: MemoryOutboxOptions = {}): MemoryOutbox {
  checkKnown('memoryOutbox', options, ['relay', 'clock'])
  const transactions = memoryTransactions()
  const store = memoryOutboxStore({ clock: options.clock })
  const relay = createRelay(store as never, options.relay === false ? {} : options.relay)
  const woken = new WeakSet<MemoryTransaction>()
  const append: Outbox['append'] = async (given, messages) => {
    const transaction = transactions.resolve(given)
    await store.append(transaction, messages)
    if (woken.has(transaction)) return
    woken.add(transaction)
    transaction.onEnd((committed) => {
      if (committed) relay.wake()
    })
  }
  return {
    name: 'memory',
    run: transactions.run,
    join: transactions.join,
    ambient: transactions.ambient,
    append,
    store: (messages) => transactions.run((transaction) => append(transaction, messages)),
    async start(target) {
      if (options.relay === false) relay.attach(target)
      else relay.start(target)
    },
    stop: () => relay.stop(),
    health: async () => relay.health(),
    relay,
    count: store.count,
  }
}
