import type { Outgoing, PublishFailure, RelayTarget } from '@evt/core'
import { relayTarget, storedMessage } from '../src/conformance/harness.ts'
import {
  createRelay,
  memoryOutboxStore,
  memoryTransactions,
  type OutboxStore,
  type RelayOptions,
} from '../src/index.ts'

type Answer = readonly PublishFailure[] | Promise<readonly PublishFailure[]>

/** A memory store with a relay over it, and every call the relay made. */
export function fixture(
  options: RelayOptions & { readonly wrap?: (store: OutboxStore<never>) => OutboxStore<never> } = {},
) {
  const { wrap, ...relayOptions } = options
  const store = memoryOutboxStore()
  const transactions = memoryTransactions()
  const relay = createRelay(wrap?.(store as never) ?? (store as never), { pollMs: 5, ...relayOptions })
  const calls: { readonly transport: string; readonly texts: readonly string[] }[] = []
  const answering = (answer: (batch: readonly Outgoing[], transport: string) => Answer): RelayTarget['publish'] => {
    return async (transport, batch) => {
      calls.push({ transport, texts: batch.map((message) => message.headers.text!) })
      return answer(batch, transport)
    }
  }
  return {
    store,
    relay,
    calls,
    /** Texts in the order they were handed to a transport. */
    published: (transport = 'main') =>
      calls.filter((call) => call.transport === transport).flatMap((call) => [...call.texts]),
    write: (...texts: readonly (string | Parameters<typeof storedMessage>)[]) =>
      transactions.run((transaction) =>
        store.append(
          transaction,
          texts.map((each) =>
            typeof each === 'string' ? storedMessage(each, { key: each[0] }) : storedMessage(...each),
          ),
        ),
      ),
    start: (
      answer: (batch: readonly Outgoing[], transport: string) => Answer = () => [],
      changes: Parameters<typeof relayTarget>[1] = {},
    ) => relay.start(relayTarget(answering(answer), changes)),
    attach: (
      answer: (batch: readonly Outgoing[], transport: string) => Answer = () => [],
      changes: Parameters<typeof relayTarget>[1] = {},
    ) => relay.attach(relayTarget(answering(answer), changes)),
  }
}

/** Fails those messages whose text is one of these. */
export function failing(outcome: PublishFailure['outcome'], ...texts: readonly string[]) {
  return (batch: readonly Outgoing[]): readonly PublishFailure[] =>
    batch.flatMap((message, index) =>
      texts.includes(message.headers.text!) ? [{ index, outcome, error: new Error(`${outcome}: ${index}`) }] : [],
    )
}
/** Whether nothing waits in the store any more. */
export async function empty(store: Pick<OutboxStore<unknown>, 'count'>): Promise<boolean> {
  return (await store.count()).waiting === 0
}
