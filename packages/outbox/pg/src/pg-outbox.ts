import { checkKnown, type Outbox, type StoredMessage } from '@evt/core'
import { createRelay, type Relay, type RelayOptions, relayOptionNames } from '@evt/outbox'
import {
  migrate,
  type PgPoolLike,
  type PgTransaction,
  type PgTransactions,
  pgFailure,
  pgTransactions,
  quotedTable,
  readMigrations,
} from '@evt/pg'
import { insertRows, pgOutboxStore } from './pg-outbox-store.ts'

export interface PgOutboxOptions {
  /** A pg `Pool`. Whoever creates it closes it. */
  readonly pool: PgPoolLike
  /** Default `public`. */
  readonly schema?: string | undefined
  /** Default `evt_outbox`; the lead of the relay is kept in `<table>_lead`. */
  readonly table?: string | undefined
  /** `false`: this process writes rows and never publishes them by itself. */
  readonly relay?: false | RelayOptions | undefined
}
/** Outbox and transactions of one database. */
export interface PgOutbox extends Outbox<PgTransaction>, Omit<PgTransactions, 'ambient'> {
  ambient(): PgTransaction | undefined
  readonly relay: Pick<Relay, 'drain'>
  /** Creates or updates its tables; any number of processes may call it at once. */
  migrate(): Promise<void>
  /** Rows that wait to be published, and rows a transport refused. */
  count(): Promise<{ readonly waiting: number; readonly parked: number }>
}

/** Publishes inside a transaction: messages are buffered and written in one statement right before COMMIT. */
export function pgOutbox(options: PgOutboxOptions): PgOutbox {
  checkKnown('pgOutbox', options, ['pool', 'schema', 'table', 'relay'])
  const { pool, schema = 'public', table: name = 'evt_outbox' } = options
  const table = quotedTable(schema, name)
  const lead = `${name}_lead`
  const relayOptions = options.relay === false ? {} : (options.relay ?? {})
  checkKnown('pgOutbox.relay', relayOptions, relayOptionNames)
  const transactions = pgTransactions({ pool })
  const store = pgOutboxStore(pool, table, quotedTable(schema, lead))
  const relay = createRelay(store as never, relayOptions)
  const buffers = new WeakMap<PgTransaction, StoredMessage[]>()

  const write = async (
    query: (sql: string, values?: readonly unknown[]) => Promise<unknown>,
    messages: readonly StoredMessage[],
  ) => {
    try {
      await insertRows(table, query, messages)
    } catch (error) {
      throw pgFailure(error, { operation: 'Writing to the outbox', relation: table })
    }
  }
  const append = async (given: unknown, messages: readonly StoredMessage[]) => {
    const transaction = await transactions.resolve(given)
    const buffered = buffers.get(transaction)
    if (buffered !== undefined) {
      buffered.push(...messages)
      return
    }
    const buffer = [...messages]
    // Somebody else's transaction has no moment before its commit: rows are written at once.
    if (!transaction.beforeCommit((query) => write(query, buffer))) return write(transaction.query, messages)
    buffers.set(transaction, buffer)
    transaction.afterCommit(() => relay.wake())
  }
  return {
    name: 'pg',
    run: transactions.run,
    join: transactions.join,
    resolve: transactions.resolve,
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
    count: () => store.count(),
    async migrate() {
      const migrations = readMigrations(import.meta.url)
      await migrate({ pool, name: `outbox/${name}`, schema, migrations, identifiers: { table: name, lead } })
    },
  }
}
