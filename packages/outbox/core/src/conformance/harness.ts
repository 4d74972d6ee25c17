import { type RelayTarget, type StoredMessage, silentLogger, systemClock, type Transactions, uuidv7 } from '@evt/core'
import type { OutboxRow, OutboxStore, Position, ReadRange } from '../outbox-store.ts'

/** A store that sees nothing of earlier ones, and transactions of the same place. */
export interface OutboxStoreHarness<Transaction> {
  readonly store: OutboxStore<Transaction>
  readonly transactions: Pick<Transactions<Transaction>, 'run'>
  /** The same place through another client, as a process sees it after a restart. */
  reopen(): Promise<OutboxStore<Transaction>>
  dispose?(): Promise<void>
}
export type OutboxStoreFactory<Transaction> = () => Promise<OutboxStoreHarness<Transaction>>

export async function withStore<Transaction>(
  create: OutboxStoreFactory<Transaction>,
  work: (harness: OutboxStoreHarness<Transaction>) => Promise<void>,
): Promise<void> {
  const harness = await create()
  try {
    await work(harness)
  } finally {
    await harness.dispose?.()
  }
}

export function storedMessage(text: string, changes: Partial<StoredMessage> = {}): StoredMessage {
  const id = uuidv7(Date.now())
  return { transport: 'main', id, topic: 't', key: 'k', headers: { text }, payload: Buffer.from(text), ...changes }
}

export function write<Transaction>(
  { store, transactions }: OutboxStoreHarness<Transaction>,
  messages: readonly StoredMessage[],
): Promise<void> {
  return transactions.run((transaction) => store.append(transaction, messages))
}

export async function readAll(
  store: OutboxStore<never>,
  range: Partial<ReadRange> = {},
): Promise<readonly OutboxRow[]> {
  const upTo = await store.bound()
  if (upTo === null) return []
  const all = { transport: { noneOf: [] }, after: undefined, upTo, skipKeys: [], limit: 10_000, maxBytes: 1e9 }
  return store.read({ ...all, ...range })
}

function textOf(row: OutboxRow): string {
  return Buffer.from(row.message!.payload).toString('utf8')
}

export async function texts(store: OutboxStore<never>, range: Partial<ReadRange> = {}): Promise<readonly string[]> {
  return (await readAll(store, range)).map(textOf)
}

export function positions(rows: readonly OutboxRow[]): readonly Position[] {
  return rows.map((row) => row.position)
}

/** A bus with one transport per name, as a relay sees it. */
export function relayTarget(
  publish: RelayTarget['publish'],
  changes: Partial<RelayTarget> & { readonly confirms?: 'accepted' | 'settled' | undefined } = {},
): RelayTarget {
  const { confirms = 'accepted', ...rest } = changes
  return {
    clock: systemClock,
    logger: silentLogger,
    transports: ['main'],
    supports: () => ({ durability: 'broker', publishOrder: 'prefix', confirms, maxMessageBytes: 1_000_000 }),
    publish,
    ...rest,
  }
}
