import { checkFunction, checkKnown, type Outbox, type StoredMessage } from '@evt/core'
import { createRelay, type OutboxStore, type Relay, type RelayOptions } from '@evt/outbox'
import {
  CommitBuffer,
  migrate,
  type PgForeignTransaction,
  type PgListenPool,
  type PgPoolLike,
  type PgTransaction,
  type PgTransactions,
  type PgWake,
  pgFailure,
  pgTransactions,
  pgWake,
  quotedTable,
  readMigrations,
} from '@evt/pg'
import { insertRows, literalInsert } from './insert-rows.ts'
import { pgOutboxStore } from './pg-outbox-store.ts'

export interface PgOutboxOptions {
  /** A pg `Pool`. Whoever creates it closes it. */
  readonly pool: PgPoolLike
  /** Default `public`. */
  readonly schema?: string | undefined
  /** Default `evt_outbox`; the lead of the relay is kept in `<table>_lead`. */
  readonly table?: string | undefined
  /** `false`: this process writes rows and never publishes them by itself. */
  readonly relay?: false | PgRelayOptions | undefined
  /**
   * Tells relays in other processes of a commit, and listens for them, on one connection more. Default: over the same pool
   * where that is pg's own and has room for it. Behind a transaction pooler give a pool with a direct address, or `false`.
   */
  readonly listen?: false | { readonly pool: PgListenPool } | undefined
  /** How long a transaction may wait for its next statement before the server ends it. Default 60,000; 0: the server's own. */
  readonly idleInTransactionMs?: number | undefined
}
export interface PgRelayOptions extends RelayOptions {
  /**
   * Where the relay's statements run, two at a time. Default the outbox's pool, in whose queue they wait behind transactions
   * where all connections are busy.
   */
  readonly pool?: PgPoolLike | undefined
}
/** Outbox and transactions of one database. */
export interface PgOutbox extends Outbox<PgTransaction | PgForeignTransaction>, Omit<PgTransactions, 'ambient'> {
  ambient(): PgTransaction | undefined
  readonly relay: Pick<Relay, 'drain'>
  /** Creates or updates its tables; any number of processes may call it at once. */
  migrate(): Promise<void>
  /** Rows that wait to be published, and rows a transport refused. */
  count: OutboxStore<never>['count']
}

/** A pool must have connections left for work while one of them listens. */
const fewestToListen = 4

/** Publishes inside a transaction: messages are buffered and written in one statement right before COMMIT. */
export function pgOutbox(options: PgOutboxOptions): PgOutbox {
  checkKnown('pgOutbox', options, ['pool', 'schema', 'table', 'relay', 'listen', 'idleInTransactionMs'])
  const { pool, schema = 'public', table: name = 'evt_outbox' } = options
  const table = quotedTable(schema, name)
  const lead = `${name}_lead`
  const relays = options.relay !== false
  const transactions = pgTransactions({ pool, idleInTransactionMs: options.idleInTransactionMs })
  const { pool: relayPool = pool, ...relayOptions } = options.relay === false ? {} : (options.relay ?? {})
  checkFunction('relay.pool.connect', relayPool?.connect)
  const store = pgOutboxStore({ pool: relayPool, schema, table: name })
  const relay = createRelay(store as never, relayOptions)
  const listenPool = listenPoolOf(options)
  let wake: PgWake | undefined
  const buffer = new CommitBuffer<StoredMessage>()

  const failed = (error: unknown) => pgFailure(error, { operation: 'Writing to the outbox', relation: table })
  const write = async (
    query: (sql: string, values?: readonly unknown[]) => Promise<unknown>,
    messages: readonly StoredMessage[],
  ) => {
    try {
      await insertRows(table, query, messages)
    } catch (error) {
      throw failed(error)
    }
  }
  const writeLast = async (query: PgTransaction['query'], messages: readonly StoredMessage[]) => {
    if (messages.length === 0) return undefined
    const sql = literalInsert(table, messages)
    if (sql !== undefined) return { sql, failed }
    await write(query, messages)
    return undefined
  }
  const wakeRelays = () => {
    // Whoever leads is told directly where it is this process, else by a statement of its own after the commit.
    if (relay.wake() || listenPool === undefined) return
    wake ??= pgWake({ pool: listenPool, channel: name })
    wake.notify()
  }
  const append = async (given: unknown, messages: readonly StoredMessage[]) => {
    const transaction = await transactions.resolve(given)
    const isBuffered = buffer.add(transaction, messages, () => ({ write: writeLast, afterCommit: wakeRelays }))
    if (!isBuffered) await write(transaction.query, messages)
  }
  return {
    name: 'pg',
    get scope() {
      return transactions.scope
    },
    run: transactions.run,
    join: transactions.join,
    resolve: transactions.resolve,
    ambient: transactions.ambient,
    append,
    store: (messages) => transactions.run((transaction) => append(transaction, messages)),
    async start(target) {
      if (!relays) return void relay.attach(target)
      relay.start(target)
      if (listenPool === undefined) return
      wake ??= pgWake({ pool: listenPool, channel: name, clock: target.clock, logger: target.logger })
      wake.listen(() => relay.wake())
    },
    async stop() {
      const waking = wake
      wake = undefined
      await Promise.all([relay.stop(), waking?.close()])
    },
    health: async () => relay.health(),
    relay,
    count: store.count,
    async migrate() {
      const migrations = readMigrations(import.meta.url)
      await migrate({ pool, name: `outbox/${name}`, schema, migrations, identifiers: { table: name, lead } })
    },
  }
}

function listenPoolOf({ pool, listen }: PgOutboxOptions): PgListenPool | undefined {
  if (listen === false) return undefined
  if (listen !== undefined) {
    checkKnown('pgOutbox.listen', listen, ['pool'])
    checkFunction('listen.pool.connect', listen.pool?.connect)
    return listen.pool
  }
  const max = (pool as { readonly options?: { readonly max?: unknown } }).options?.max
  return typeof max === 'number' && max >= fewestToListen ? (pool as PgListenPool) : undefined
}
