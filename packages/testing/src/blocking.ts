import { evtError, invalidOption, type Transport } from '@evt/core'
import { wrapConsumers, wrapTransport } from './wrap-transport.ts'

export type BlockedOperation = 'publish' | 'settle'

/** Makes calls of a transport wait. */
export interface Blockade {
  /** From now on calls of this operation wait. */
  block(operation: BlockedOperation): void
  /** Lets the waiting calls go, and those to come. Default: of every operation. */
  release(operation?: BlockedOperation): void
  /** How many calls wait. */
  waiting(operation: BlockedOperation): number
}

const all: readonly BlockedOperation[] = ['publish', 'settle']

/** Makes operations wait until they are released. Closing what they belong to ends their wait with `EVT_TRANSPORT_CLOSED`. */
export function blocking<Wrapped extends Transport>(
  transport: Wrapped,
  operations: readonly BlockedOperation[] = all,
): Wrapped & Blockade {
  const gates = { publish: gate(transport.name), settle: gate(transport.name) }
  const gateOf = (operation: BlockedOperation) => {
    if (!all.includes(operation)) throw invalidOption('operation', `expected one of ${all.join(', ')}`)
    return gates[operation]
  }
  for (const operation of operations) gateOf(operation).shut()
  const blockade: Blockade = {
    block: (operation) => gateOf(operation).shut(),
    release(operation) {
      for (const each of operation === undefined ? all : [operation]) gateOf(each).open()
    },
    waiting: (operation) => gateOf(operation).waiting,
  }
  return wrapTransport(transport, {
    ...blockade,
    async publish(batch) {
      await gates.publish.pass(transport)
      return transport.publish(batch)
    },
    consume: wrapConsumers(transport, (consumer) => ({
      async settle(batch) {
        await gates.settle.pass(consumer)
        return consumer.settle(batch)
      },
      async close() {
        gates.settle.giveUp(consumer)
        await consumer.close()
      },
    })),
    async close() {
      gates.publish.giveUp(transport)
      await transport.close()
    },
  })
}

interface Gate {
  readonly waiting: number
  shut(): void
  open(): void
  pass(owner: object): Promise<void>
  /** Ends the wait of everything that belongs to this owner. */
  giveUp(owner: object): void
}

function gate(transport: string): Gate {
  let shut = false
  let waiters: { readonly owner: object; resolve(): void; reject(error: unknown): void }[] = []
  return {
    get waiting() {
      return waiters.length
    },
    shut() {
      shut = true
    },
    open() {
      shut = false
      for (const waiter of waiters.splice(0)) waiter.resolve()
    },
    async pass(owner) {
      if (shut) await new Promise<void>((resolve, reject) => waiters.push({ owner, resolve, reject }))
    },
    giveUp(owner) {
      const leaving = waiters.filter((waiter) => waiter.owner === owner)
      waiters = waiters.filter((waiter) => waiter.owner !== owner)
      for (const waiter of leaving)
        waiter.reject(evtError('EVT_TRANSPORT_CLOSED', 'It closed while a test held this call', { transport }))
    },
  }
}
