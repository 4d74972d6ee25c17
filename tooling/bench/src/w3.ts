import { createBus, silentLogger } from '@evt/core'
import { redisTransport } from '@evt/transport-redis'
import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { beeQueueAt } from './bee-queue-at.ts'
import type { Ledger } from './ledger.ts'
import { OrderCreated, order } from './order.ts'
import { redisPlace } from './redis-place.ts'
import { rawPublisher } from './redis-raw.ts'
import { sideBySide } from './side-by-side.ts'
import type { Contender, Running, Workload } from './workload.ts'

const atOnce = 256
const batch = 500
const body = JSON.stringify(order)
type Way = 'single' | 'many'

/** Publishing to a stream of Redis; a message counts when the server has said that it has it. */
export const workloads: readonly Workload[] = [
  {
    kind: 'throughput',
    id: 'w3.publish',
    title: `${atOnce} publishers at once, each awaits its message`,
    messages: 60_000,
    checked: 'once',
    servers: ['redis'],
    contenders: [raw('ioredis, batched by hand', 'single'), evt('single'), ...peers('single')],
    goals: [
      { text: 'of the speed of ioredis', value: (read) => read.ratio('evt', 'ioredis, batched by hand'), atLeast: 0.9 },
      { text: 'times as fast as BullMQ', value: (read) => read.ratio('evt', 'BullMQ'), atLeast: 3 },
      {
        text: 'µs of own processor time a message',
        value: (read) => read.figure('evt', 'cpu µs') - read.figure('ioredis, batched by hand', 'cpu µs'),
        atMost: 2,
      },
    ],
  },
  {
    kind: 'throughput',
    id: 'w3.many',
    title: `${batch} messages at a time`,
    messages: 60_000,
    checked: 'once',
    servers: ['redis'],
    contenders: [raw('ioredis pipeline', 'many'), evt('many'), ...peers('many')],
    goals: [
      { text: 'of the speed of a pipeline', value: (read) => read.ratio('evt', 'ioredis pipeline'), atLeast: 1 },
      { text: 'times as fast as BullMQ', value: (read) => read.ratio('evt', 'BullMQ'), atLeast: 5.5 },
    ],
  },
]

function peers(way: Way): readonly Contender[] {
  return [
    { ...bullMq(way), messages: 10_000 },
    { ...beeQueue(way), messages: 10_000 },
  ]
}

/** Runs single publishes side by side or batches one after the other, and tells the ledger what was sent. */
async function publishAll(
  messages: number,
  way: Way,
  ledger: Ledger | undefined,
  single: () => Promise<string>,
  many: (count: number) => Promise<readonly string[]>,
): Promise<void> {
  if (way === 'single') {
    await sideBySide(messages, atOnce, async () => {
      const id = await single()
      ledger?.sent(id, body)
    })
    return
  }
  for (let left = messages; left > 0; left -= batch) {
    for (const id of await many(Math.min(batch, left))) ledger?.sent(id, body)
  }
}

/** What a stream holds, for the ledger; then it goes. */
async function readBack(client: Redis, stream: string, ledger: Ledger | undefined): Promise<void> {
  if (ledger !== undefined) {
    for (const [, fields] of await client.xrange(stream, '-', '+')) {
      const [, headers, , payload] = fields
      ledger.handled(JSON.parse(headers!)['ce-id'], payload!)
    }
  }
  await client.del(stream)
}

function raw(name: string, way: Way): Contender {
  return {
    name,
    async start(): Promise<Running> {
      const place = await redisPlace()
      const client = place.connect()
      const stream = `${place.prefix}:stream`
      const publisher = await rawPublisher(client, stream)
      const payloads = Array.from({ length: batch }, () => order)
      let published = 0
      return {
        async run(messages, ledger) {
          const many = (count: number) => publisher.publishMany(payloads.slice(0, count))
          await publishAll(messages, way, ledger, () => publisher.publish(order), many)
          published += await client.xlen(stream)
        },
        handled: () => published,
        collect: (ledger) => readBack(client, stream, ledger),
        stop: place.drop,
      }
    },
  }
}

function evt(way: Way): Contender {
  return {
    name: 'evt',
    async start(): Promise<Running> {
      const place = await redisPlace()
      const client = place.connect()
      const stream = `${place.prefix}:{evt.order.created}:stream`
      const transport = redisTransport({ client: place.connect(), prefix: place.prefix })
      const bus = createBus({ service: 'bench', logger: silentLogger, transport })
      const messagesAtOnce = Array.from({ length: batch }, () => OrderCreated.of(order))
      let published = 0
      return {
        async run(messages, ledger) {
          const single = async () => (await bus.publish(OrderCreated, order)).id
          const many = async (count: number) =>
            (await bus.publishMany(messagesAtOnce.slice(0, count))).map(({ id }) => id)
          await publishAll(messages, way, ledger, single, many)
          published += await client.xlen(stream)
        },
        handled: () => published,
        collect: (ledger) => readBack(client, stream, ledger),
        async stop() {
          await bus.close()
          await place.drop()
        },
      }
    },
  }
}

function bullMq(way: Way): Contender {
  return {
    name: 'BullMQ',
    async start(): Promise<Running> {
      const place = await redisPlace()
      const client = place.connect()
      const queue = new Queue('order', { connection: { url: place.url }, prefix: place.prefix })
      await queue.waitUntilReady()
      const jobs = Array.from({ length: batch }, () => ({ name: 'order', data: order }))
      const waiting = `${place.prefix}:order:wait`
      let published = 0
      return {
        async run(messages, ledger) {
          const single = async () => (await queue.add('order', order)).id!
          const many = async (count: number) => (await queue.addBulk(jobs.slice(0, count))).map(({ id }) => id!)
          await publishAll(messages, way, ledger, single, many)
          published += await client.llen(waiting)
        },
        handled: () => published,
        async collect(ledger) {
          const ids = ledger === undefined ? [] : await client.lrange(waiting, 0, -1)
          for (const id of ids) ledger!.handled(id, (await client.hget(`${place.prefix}:order:${id}`, 'data'))!)
          await queue.obliterate({ force: true })
        },
        async stop() {
          await queue.close()
          await place.drop()
        },
      }
    },
  }
}

function beeQueue(way: Way): Contender {
  return {
    name: 'bee-queue',
    async start(): Promise<Running> {
      const place = await redisPlace()
      const client = place.connect()
      const queue = beeQueueAt(place.url, place.prefix, false)
      await queue.ready()
      const waiting = `${place.prefix}:order:waiting`
      let published = 0
      return {
        async run(messages, ledger) {
          const single = async () => (await queue.createJob(order).save()).id
          const many = async (count: number) => {
            const jobs = Array.from({ length: count }, () => queue.createJob(order))
            const errors = await queue.saveAll(jobs)
            for (const [, error] of errors) throw error
            return jobs.map(({ id }) => id)
          }
          await publishAll(messages, way, ledger, single, many)
          published += await client.llen(waiting)
        },
        handled: () => published,
        async collect(ledger) {
          const ids = ledger === undefined ? [] : await client.lrange(waiting, 0, -1)
          for (const id of ids) {
            const job = await client.hget(`${place.prefix}:order:jobs`, id)
            ledger!.handled(id, JSON.stringify(JSON.parse(job!).data))
          }
          await queue.destroy()
        },
        async stop() {
          await queue.close()
          await place.drop()
        },
      }
    },
  }
}
