import type { Outbox, Outgoing } from '@evt/core'
import type { PgTransaction, PgTransactions } from '@evt/pg'
import { isDeliveredTwice } from './duplicating-transport.ts'

/** Transactions of the demo's database that publish. */
export type DemoOutbox = Outbox<PgTransaction> & Pick<PgTransactions, 'run' | 'scope'>

/** For a transport that is its own outbox: what transactions publish is delivered twice as often as the rest. */
export function duplicatingOutbox(outbox: DemoOutbox, share?: number): DemoOutbox {
  const twice = <Message extends Outgoing>(messages: readonly Message[]) =>
    messages.flatMap((message) => (isDeliveredTwice(message, share) ? [message, message] : [message]))
  return {
    name: outbox.name,
    // Asked each time: it is known only once a connection was asked.
    get scope() {
      return outbox.scope
    },
    run: (work) => outbox.run(work),
    ambient: () => outbox.ambient(),
    append: (transaction, messages) => outbox.append(transaction, twice(messages)),
    store: (messages) => outbox.store(twice(messages)),
    start: (target) => outbox.start(target),
    stop: () => outbox.stop(),
    health: () => outbox.health(),
  }
}
