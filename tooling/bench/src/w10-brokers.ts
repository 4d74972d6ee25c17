import { createBus, silentLogger, type Transport } from '@evt/core'
import { pgOutbox } from '@evt/outbox-pg'
import { kafka } from '@evt/servers'
import { kafkaTransport } from '@evt/transport-kafka'
import { jetstreamTransport } from '@evt/transport-nats'
import { redisTransport } from '@evt/transport-redis'
import { createStream, jetstreamPlace, rawPublisherOf } from './jetstream.ts'
import type { Ledger } from './ledger.ts'
import { onlyWhenDrained, outboxDatabase } from './outbox-database.ts'
import { redisPlace } from './redis-place.ts'
import type { Server } from './servers.ts'
import { createTopic, rawKafka, rawProducer } from './w8-message.ts'
import type { Contender, Running, Workload } from './workload.ts'

const batch = 1_000
const partitions = 3

/** A row as the hand-written loop reads it. */
interface Row {
  readonly id: string
  readonly message_id: string
  readonly key: string
  readonly headers: string
  readonly payload: Buffer
}
/** Somewhere to carry rows to, by hand and by a transport. */
interface Destination {
  readonly transport: Transport
  /** Sends rows as they are and resolves when the broker has them. */
  send(rows: readonly Row[]): Promise<void>
  /** Removes what has come. */
  clear(): Promise<void>
  drop(): Promise<void>
}

/** The same backlog to each broker. The limit reads, sends and deletes by hand, a batch ahead, with no lease and no outcome per message. */
export const workloads: readonly Workload[] = [
  to('redis', toRedis, 100_000, 'redis'),
  to('jetstream', toJetstream, 50_000, 'nats'),
  to('kafka', toKafka, 20_000, 'kafka'),
]

function to(name: string, open: () => Promise<Destination>, messages: number, server: Server): Workload {
  return {
    kind: 'throughput',
    id: `w10.${name}`,
    title: `relay drains ${messages.toLocaleString('en-US')} rows to ${name}`,
    messages,
    checked: 'everyRound',
    servers: ['postgres', server],
    contenders: [rawLoop(open), evt(open)],
    goals: [
      { text: 'of the speed of the raw loop', value: (read) => read.ratio('evt', 'raw loop'), atLeast: 0.8 },
      ...(name === 'redis'
        ? [
            {
              text: 'rows a second',
              value: (read: { perSecond(of: string): number }) => read.perSecond('evt'),
              atLeast: 80_000,
            },
          ]
        : []),
    ],
  }
}

function rawLoop(open: () => Promise<Destination>): Contender {
  return {
    name: 'raw loop',
    async start(): Promise<Running> {
      const destination = await open()
      const { pool, fill, drop } = await outboxDatabase()
      const read = (after: string) =>
        pool.query<Row>(
          'select id, topic, message_id, key, headers, payload from evt_outbox where id > $1 order by id limit $2',
          [after, batch],
        )
      return {
        prepare: fill,
        async run(_messages, ledger) {
          let deleting: Promise<unknown> = Promise.resolve()
          let reading = read('0')
          for (;;) {
            const { rows } = await reading
            if (rows.length === 0) break
            reading = read(rows.at(-1)!.id)
            await destination.send(rows)
            for (const { message_id: id } of rows) ledger?.handled(id)
            await deleting
            deleting = pool.query('delete from evt_outbox where id = any ($1::bigint[])', [
              rows.map(({ id: row }) => row),
            ])
          }
          await deleting
        },
        collect: destination.clear,
        async stop() {
          await destination.drop()
          await drop()
        },
      }
    },
  }
}

function evt(open: () => Promise<Destination>): Contender {
  return {
    name: 'evt',
    async start(): Promise<Running> {
      const destination = await open()
      let ledger: Ledger | undefined
      const { transport } = destination
      const watched: Transport = {
        ...transport,
        get supports() {
          return transport.supports
        },
        async publish(messages) {
          const failures = await transport.publish(messages)
          if (failures.length === 0) for (const { id } of messages) ledger?.handled(id)
          return failures
        },
      }
      const { pool, fill, drop } = await outboxDatabase(watched)
      const outbox = pgOutbox({ pool, listen: false, relay: onlyWhenDrained })
      const bus = createBus({ service: 'bench', logger: silentLogger, transport: watched, outbox })
      await bus.start()
      return {
        prepare(messages, record) {
          ledger = record
          return fill(messages, record)
        },
        async run() {
          await outbox.relay.drain({ budgetMs: 600_000 })
        },
        collect: destination.clear,
        async stop() {
          await bus.close()
          await destination.drop()
          await drop()
        },
      }
    },
  }
}

/** One script call for a batch, as in W3. */
async function toRedis(): Promise<Destination> {
  const { prefix, connect, drop } = await redisPlace()
  const client = connect()
  const append = `for at = 1, #ARGV, 2 do redis.call('XADD', KEYS[1], '*', 'headers', ARGV[at], 'payload', ARGV[at + 1]) end`
  const hash = (await client.script('LOAD', append)) as string
  return {
    transport: redisTransport({ client: connect(), prefix }),
    async send(rows) {
      await client.evalsha(hash, 1, `${prefix}:raw`, ...rows.flatMap(({ headers, payload }) => [headers, payload]))
    },
    async clear() {
      for (const stream of await client.keys(`${prefix}:*`))
        if ((await client.type(stream)) === 'stream') await client.xtrim(stream, 'MAXLEN', 0)
    },
    drop,
  }
}

/** All of a batch at once, with an inbox of its own for the answers, as in W6. */
async function toJetstream(): Promise<Destination> {
  const place = await jetstreamPlace()
  const { connection, prefix, stream } = place
  await createStream(place)
  const publish = rawPublisherOf(place)
  return {
    transport: jetstreamTransport({ connection, prefix }),
    async send(rows) {
      await Promise.all(
        rows.map(({ headers, message_id: id, payload }) =>
          publish(id, JSON.parse(headers) as Record<string, string>, payload),
        ),
      )
    },
    async clear() {
      await (await connection.jetstreamManager()).streams.purge(stream)
    },
    drop: place.drop,
  }
}

async function toKafka(): Promise<Destination> {
  const { brokers, prefix, drop } = await kafka.fresh()
  const client = rawKafka(brokers)
  const topic = `${prefix}.raw`
  await createTopic(client, topic, partitions)
  const producer = await rawProducer(client)
  return {
    transport: kafkaTransport({ brokers, prefix: `${prefix}.`, partitions }),
    async send(rows) {
      const messages = rows.map(({ key, headers, payload }) => ({ key, value: payload, headers: JSON.parse(headers) }))
      await producer.sendBatch({ acks: -1, topicMessages: [{ topic, messages }] })
    },
    clear: async () => undefined,
    async drop() {
      await producer.disconnect()
      await drop()
    },
  }
}
