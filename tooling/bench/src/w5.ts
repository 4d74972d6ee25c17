import { createBus, silentLogger } from '@evt/core'
import { redisTransport } from '@evt/transport-redis'
import { Queue, Worker } from 'bullmq'
import { beeQueueAt } from './bee-queue-at.ts'
import { type Order, OrderCreated, order } from './order.ts'
import { redisPlace } from './redis-place.ts'
import { rawPublisher, rawReader } from './redis-raw.ts'
import type { LatencyContender, Workload } from './workload.ts'

const handlersAtOnce = 100

/** From when a message was due, through its publish and its read, to its handler; publisher and consumer in one process. */
export const workloads: readonly Workload[] = [at(1_000), at(10_000)]

function at(perSecond: number): Workload {
  const isLow = perSecond <= 1_000
  return {
    kind: 'latency',
    id: `w5.${perSecond}`,
    title: `from publish due to handler, ${perSecond} a second, open loop`,
    perSecond,
    seconds: 2,
    servers: ['redis'],
    // The peers do not keep up with more.
    contenders: [raw(), evt(), ...(isLow ? [bullMq(), beeQueue()] : [])],
    goals: [
      {
        text: 'ms more than ioredis, median',
        value: (read) => read.figure('evt', 'p50 ms') - read.figure('ioredis loop', 'p50 ms'),
        atMost: 0.15,
      },
      { text: 'ms, 99th percentile', value: (read) => read.figure('evt', 'p99 ms'), atMost: isLow ? 2.5 : 10 },
    ],
  }
}

function raw(): LatencyContender {
  return {
    name: 'ioredis loop',
    async start(arrived) {
      const place = await redisPlace()
      const client = place.connect()
      const stream = `${place.prefix}:stream`
      const publisher = await rawPublisher(client, stream)
      const reader = await rawReader(client, place.connect(), stream)
      // Ends with its connection.
      reader.consume(Number.POSITIVE_INFINITY, handlersAtOnce, async ({ id }) => arrived(id)).catch(() => undefined)
      return {
        async send(id) {
          await publisher.publish({ ...order, id })
        },
        stop: place.drop,
      }
    },
  }
}

function evt(): LatencyContender {
  return {
    name: 'evt',
    async start(arrived) {
      const place = await redisPlace()
      const transport = redisTransport({ client: place.connect(), prefix: place.prefix })
      const bus = createBus({ service: 'bench', logger: silentLogger, transport })
      const options = { group: 'bench', concurrency: handlersAtOnce }
      await bus.subscribe(OrderCreated, async ({ id }) => arrived(id), options)
      return {
        async send(id) {
          await bus.publish(OrderCreated, { ...order, id })
        },
        async stop() {
          await bus.close()
          await place.drop()
        },
      }
    },
  }
}

function bullMq(): LatencyContender {
  return {
    name: 'BullMQ',
    async start(arrived) {
      const { url, prefix, drop } = await redisPlace()
      const connection = { url }
      const queue = new Queue('order', { connection, prefix, defaultJobOptions: { removeOnComplete: true } })
      const settings = { concurrency: handlersAtOnce, connection, prefix }
      const worker = new Worker<Order>('order', async ({ data }) => arrived(data.id), settings)
      await worker.waitUntilReady()
      return {
        async send(id) {
          await queue.add('order', { ...order, id })
        },
        async stop() {
          await worker.close()
          await queue.close()
          await drop()
        },
      }
    },
  }
}

function beeQueue(): LatencyContender {
  return {
    name: 'bee-queue',
    async start(arrived) {
      const { url, prefix, drop } = await redisPlace()
      const queue = beeQueueAt(url, prefix, true)
      await queue.ready()
      queue.process(handlersAtOnce, async ({ data }) => arrived(data.id))
      return {
        async send(id) {
          await queue.createJob({ ...order, id }).save()
        },
        async stop() {
          await queue.close()
          await drop()
        },
      }
    },
  }
}
