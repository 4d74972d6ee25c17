import type { Outbox, Transport } from '@evt/core'
import {
  migrate,
  type PgForeignTransaction,
  type PgTransaction,
  type PgTransactions,
  pgTransactions,
  pgWake,
  readMigrations,
} from '@evt/pg'
import { createAppending } from './appending.ts'
import { pgConsumer } from './consumer.ts'
import { askPool } from './database.ts'
import { createGroups } from './groups.ts'
import { createNames } from './names.ts'
import { type PgTransportOptions, readOptions } from './options.ts'
import { inspect, readDeadLetters, removeDeadLetters, trim } from './places.ts'
import { publishBatch } from './publish.ts'
import { pgSupport } from './support.ts'
import { createTopics, type KnownTopic } from './topics.ts'
import { createWakes } from './wakes.ts'

/** A transport that is the outbox of its own database: given as both to `createBus`, transactions publish without a relay. */
export interface PgTransport
  extends Transport,
    Outbox<PgTransaction | PgForeignTransaction>,
    Omit<PgTransactions, 'ambient'> {
  readonly name: 'pg'
  ambient(): PgTransaction | undefined
  /** Creates or updates its tables and functions; any number of processes may call it at once. */
  migrate(): Promise<void>
}

/** Events over PostgreSQL 13 or newer. Throws for options that cannot be honoured. */
export function pgTransport(options: PgTransportOptions): PgTransport {
  const settings = readOptions(options)
  const { pool, listen, idleInTransactionMs, clock, logger, schema, prefix, pollMs, maxMessageBytes } = settings
  const names = createNames(schema, prefix)
  const supports = pgSupport(maxMessageBytes)
  const ask = askPool(pool, names)
  const topics = createTopics(ask, names)
  const groups = createGroups(ask, names)
  const transactions = pgTransactions({ pool, idleInTransactionMs })
  const pgwake = listen === undefined ? undefined : pgWake({ pool: listen, channel: names.channel, clock, logger })
  const wakes = createWakes({
    clock,
    pollMs,
    async look(wanted) {
      const rows = await ask<{ id: number; after_ms: number }>(
        'Looking for messages',
        `select place.id, greatest(0, extract(epoch from next.due_at - statement_timestamp()))::double precision * 1000 as after_ms
         from unnest($1::integer[]) as place (id)
         join ${names.quoted.group} as receiver on receiver.id = place.id
         join ${names.quoted.topic} as topic on topic.id = receiver.topic_id
         cross join lateral (
           select min(first.due_at) as due_at from generate_series(0, coalesce(topic.partitions, 1) - 1) as part (number)
           cross join lateral (
             select parcel.due_at from ${names.quoted.parcel} as parcel
             where parcel.group_id = place.id and parcel.partition = part.number order by parcel.due_at limit 1
           ) as first
         ) as next where next.due_at < statement_timestamp() + $2 * interval '1 millisecond'
         -- Publishers leave nothing for a group that somebody removed: its reader would wait for ever.
         union all select place.id, 0 from unnest($1::integer[]) as place (id)
         where not exists (select from ${names.quoted.group} as receiver where receiver.id = place.id)`,
        [`{${wanted.join(',')}}`, pollMs],
      )
      return new Map(rows.map(({ id, after_ms }) => [id, after_ms]))
    },
  })
  const onPublished = (published: Iterable<KnownTopic>) => {
    for (const { id } of published) wakes.published(id)
    pgwake?.notify()
  }
  const appending = createAppending({ transactions, names, topics, supports, onPublished })

  return {
    name: 'pg',
    supports,
    get scope() {
      return transactions.scope
    },
    run: transactions.run,
    join: transactions.join,
    resolve: transactions.resolve,
    ambient: transactions.ambient,
    append: appending.append,
    store: (messages) => transactions.run((transaction) => appending.append(transaction, messages)),
    async start(target) {
      appending.start(target)
    },
    async stop() {},
    health: async () => ({ name: 'pg', status: 'healthy' }),
    async migrate() {
      const { identifiers } = names
      await migrate({
        pool,
        name: `transport/${prefix}`,
        schema,
        migrations: readMigrations(import.meta.url),
        identifiers,
      })
    },
    async open() {
      await ask('Opening', `select from ${names.quoted.topic} limit 0`, [])
      pgwake?.listen(() => wakes.look())
    },
    async declare(topic) {
      const { name, partitions } = await topics.declare(topic)
      return { name, partitions }
    },
    publish: (batch) => publishBatch({ ask, names, topics, maxMessageBytes, onPublished }, batch),
    consume: (spec, events) => pgConsumer({ ask, names, topics, groups, wakes, spec, events }),
    async inspect(name) {
      const topic = await topics.find(name)
      return topic === undefined ? [] : inspect(ask, names, topic)
    },
    async trim(name) {
      const topic = await topics.find(name)
      return topic === undefined ? { removed: 0, heldBackBy: null } : trim(ask, names, topic, settings)
    },
    async readDeadLetters(name, page) {
      const topic = await topics.find(name)
      return topic === undefined ? [] : readDeadLetters(ask, names, topic, page)
    },
    async removeDeadLetters(name, ids) {
      const topic = await topics.find(name)
      if (topic !== undefined) await removeDeadLetters(ask, names, topic, ids)
    },
    async close() {
      wakes.close()
      await pgwake?.close()
    },
  }
}
