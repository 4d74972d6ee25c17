import { createBus, type Subscription, silentLogger } from '@evt/core'
import { redisTransport } from '@evt/transport-redis'
import { Queue, Worker } from 'bullmq'
import { beeQueueAt } from './bee-queue-at.ts'
import type { Ledger } from './ledger.ts'
import { type Order, OrderCreated, order } from './order.ts'
import { redisPlace } from './redis-place.ts'
import { rawPublisher, rawReader } from './redis-raw.ts'
import { sideBySide } from './side-by-side.ts'
import type { Contender, Running, Workload } from './workload.ts'

const handlersAtOnce = 100
const publishersAtOnce = 256
const batch = 500
const body = JSON.stringify(order)
/** `backlog`: everything is there before the clock starts. `endToEnd`: it is published meanwhile, by the same process. */
type Way = 'backlog' | 'endToEnd'

/** Consuming at least once: the handler does nothing, each message is acknowledged after it, the clock stops when all are. */
export const workloads: readonly Workload[] = [
  {
    kind: 'throughput',
    id: 'w4.consume',
    title: `a backlog, ${handlersAtOnce} handlers at once`,
    messages: 60_000,
    checked: 'once',
    servers: ['redis'],
    contenders: [raw('backlog'), evt('backlog'), ...peers('backlog')],
    goals: [
      { text: 'of the speed of ioredis', value: (read) => read.ratio('evt', 'ioredis loop'), atLeast: 0.9 },
      { text: 'times as fast as BullMQ', value: (read) => read.ratio('evt', 'BullMQ'), atLeast: 6.5 },
      {
        text: 'µs of own processor time a message',
        value: (read) => read.figure('evt', 'cpu µs') - read.figure('ioredis loop', 'cpu µs'),
        atMost: 2,
      },
    ],
  },
  {
    kind: 'throughput',
    id: 'w4.end-to-end',
    title: `from ${publishersAtOnce} publishers to ${handlersAtOnce} handlers in one process`,
    messages: 40_000,
    checked: 'once',
    servers: ['redis'],
    contenders: [raw('endToEnd'), evt('endToEnd'), ...peers('endToEnd')],
    goals: [{ text: 'of the speed of ioredis', value: (read) => read.ratio('evt', 'ioredis loop'), atLeast: 0.87 }],
  },
]

function peers(way: Way): readonly Contender[] {
  return [
    { ...bullMq(way), messages: 10_000 },
    { ...beeQueue(way), messages: 10_000 },
  ]
}

/** Counts handler runs and tells when all that are awaited have been. */
function handling() {
  let handled = 0
  let awaited = 0
  let ledger: Ledger | undefined
  let isComplete = () => {}
  return {
    expect(messages: number, record: Ledger | undefined): Promise<void> {
      ledger = record
      awaited = handled + messages
      return new Promise((resolve) => {
        isComplete = resolve
      })
    },
    handle(id: string, payload: Order): void {
      handled += 1
      ledger?.handled(id, JSON.stringify(payload))
      if (handled === awaited) isComplete()
    },
    count: () => handled,
  }
}

async function publishSingly(
  messages: number,
  ledger: Ledger | undefined,
  publish: () => Promise<string>,
): Promise<void> {
  await sideBySide(messages, publishersAtOnce, async () => {
    const id = await publish()
    ledger?.sent(id, body)
  })
}
async function publishInBatches(
  messages: number,
  ledger: Ledger | undefined,
  publish: (count: number) => Promise<readonly string[]>,
): Promise<void> {
  for (let left = messages; left > 0; left -= batch) {
    for (const id of await publish(Math.min(batch, left))) ledger?.sent(id, body)
  }
}

function raw(way: Way): Contender {
  return {
    name: 'ioredis loop',
    async start(): Promise<Running> {
      const place = await redisPlace()
      const client = place.connect()
      const stream = `${place.prefix}:stream`
      const publisher = await rawPublisher(client, stream)
      const reader = await rawReader(client, place.connect(), stream)
      const payloads = Array.from({ length: batch }, () => order)
      const { expect, handle, count } = handling()
      return {
        async prepare(messages, ledger) {
          if (way === 'backlog')
            await publishInBatches(messages, ledger, (size) => publisher.publishMany(payloads.slice(0, size)))
        },
        async run(messages, ledger) {
          void expect(messages, ledger)
          const consumed = reader.consume(messages, handlersAtOnce, async (payload, id) => handle(id, payload))
          if (way === 'endToEnd') await publishSingly(messages, ledger, () => publisher.publish(order))
          await consumed
        },
        handled: count,
        async collect() {
          await client.xtrim(stream, 'MAXLEN', 0)
        },
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
      const transport = redisTransport({ client: place.connect(), prefix: place.prefix })
      const bus = createBus({ service: 'bench', logger: silentLogger, transport })
      const messagesAtOnce = Array.from({ length: batch }, () => OrderCreated.of(order))
      const { expect, handle, count } = handling()
      /** Not let go of before the next one is there: the reader by hand lives through all rounds, and with it its code. */
      let subscription: Subscription
      return {
        async prepare(messages, ledger) {
          if (way !== 'backlog') return
          await publishInBatches(messages, ledger, async (size) =>
            (await bus.publishMany(messagesAtOnce.slice(0, size))).map(({ id }) => id),
          )
        },
        async run(messages, ledger) {
          const all = expect(messages, ledger)
          const options = { group: 'bench', concurrency: handlersAtOnce }
          subscription = await bus.subscribe(OrderCreated, async (payload, { id }) => handle(id, payload), options)
          if (way === 'endToEnd')
            await publishSingly(messages, ledger, async () => (await bus.publish(OrderCreated, order)).id)
          await all
          // Resolves when everything is acknowledged.
          await subscription.close()
        },
        handled: count,
        async collect() {
          const [pending] = (await client.xpending(`${place.prefix}:{evt.order.created}:stream`, 'bench/bench')) as [
            number,
          ]
          if (pending > 0) throw new Error(`${pending} messages were not acknowledged`)
          await client.xtrim(`${place.prefix}:{evt.order.created}:stream`, 'MAXLEN', 0)
        },
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
      const { url, prefix, drop } = await redisPlace()
      const queue = new Queue('order', { connection: { url }, prefix, defaultJobOptions: { removeOnComplete: true } })
      await queue.waitUntilReady()
      const jobs = Array.from({ length: batch }, () => ({ name: 'order', data: order }))
      const { expect, handle, count } = handling()
      let worker: Worker
      return {
        async prepare(messages, ledger) {
          const settings = { concurrency: handlersAtOnce, connection: { url }, prefix, autorun: false }
          worker = new Worker<Order>('order', async ({ id, data }) => handle(id!, data), settings)
          await worker.waitUntilReady()
          if (way !== 'backlog') return
          await publishInBatches(messages, ledger, async (size) =>
            (await queue.addBulk(jobs.slice(0, size))).map(({ id }) => id!),
          )
        },
        async run(messages, ledger) {
          const all = expect(messages, ledger)
          void worker.run()
          if (way === 'endToEnd')
            await publishSingly(messages, ledger, async () => (await queue.add('order', order)).id!)
          await all
          await worker.close()
        },
        handled: count,
        async stop() {
          await queue.close()
          await drop()
        },
      }
    },
  }
}

function beeQueue(way: Way): Contender {
  return {
    name: 'bee-queue',
    async start(): Promise<Running> {
      const { url, prefix, drop } = await redisPlace()
      const queue = beeQueueAt(url, prefix, false)
      await queue.ready()
      const { expect, handle, count } = handling()
      let worker: ReturnType<typeof beeQueueAt>
      return {
        async prepare(messages, ledger) {
          worker = beeQueueAt(url, prefix, true)
          await worker.ready()
          if (way !== 'backlog') return
          await publishInBatches(messages, ledger, async (size) => {
            const jobs = Array.from({ length: size }, () => queue.createJob(order))
            for (const [, error] of await queue.saveAll(jobs)) throw error
            return jobs.map(({ id }) => id)
          })
        },
        async run(messages, ledger) {
          const all = expect(messages, ledger)
          worker.process(handlersAtOnce, async ({ id, data }) => handle(id, data))
          if (way === 'endToEnd')
            await publishSingly(messages, ledger, async () => (await queue.createJob(order).save()).id)
          await all
          await worker.close()
        },
        handled: count,
        async stop() {
          await queue.close()
          await drop()
        },
      }
    },
  }
}
