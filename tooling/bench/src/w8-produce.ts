import { createBus, silentLogger } from '@evt/core'
import { kafka } from '@evt/servers'
import { type KafkaConnection, kafkajsClient, kafkaTransport } from '@evt/transport-kafka'
import type { Producer } from 'kafkajs'
import type { Ledger } from './ledger.ts'
import { sideBySide } from './side-by-side.ts'
import {
  CustomerOrder,
  createTopic,
  orderOf,
  orderText,
  type RawMessage,
  rawKafka,
  rawMessage,
  rawProducer,
} from './w8-message.ts'
import type { Contender, Running, Workload } from './workload.ts'

const atOnce = 256
const perBatch = 500
const partitions = 3

/** Key, eight headers, JSON of 300 bytes, acknowledged by all replicas, no producer id, three partitions. */
export const workloads: readonly Workload[] = [
  {
    kind: 'throughput',
    id: 'w8.produce',
    title: `Kafka: ${atOnce} publishes awaited side by side, key and 8 headers`,
    messages: 10_000,
    checked: 'everyRound',
    servers: ['kafka'],
    contenders: [
      raw('kafkajs sendBatch of 500', sendBatches),
      raw('kafkajs, 256 single sends', sendSingles, 2_000),
      ours(),
    ],
    goals: [
      {
        text: 'of the speed of sendBatch',
        value: (read) => read.ratio('evt', 'kafkajs sendBatch of 500'),
        atLeast: 1.5,
      },
      { text: 'µs of processor time', value: (read) => read.figure('evt', 'cpu µs'), atMost: 28 },
      { text: 'times single sends', value: (read) => read.ratio('evt', 'kafkajs, 256 single sends'), atLeast: 4 },
    ],
  },
]

type Send = (producer: Producer, topic: string, count: number, next: (index: number) => RawMessage) => Promise<void>

async function sendBatches(
  producer: Producer,
  topic: string,
  count: number,
  next: (index: number) => RawMessage,
): Promise<void> {
  for (let from = 0; from < count; from += perBatch) {
    const messages = Array.from({ length: Math.min(perBatch, count - from) }, (_value, index) => next(from + index))
    await producer.sendBatch({ acks: -1, topicMessages: [{ topic, messages }] })
  }
}

async function sendSingles(
  producer: Producer,
  topic: string,
  count: number,
  next: (index: number) => RawMessage,
): Promise<void> {
  await sideBySide(count, atOnce, async (index) => {
    await producer.send({ acks: -1, topic, messages: [next(index)] })
  })
}

function raw(name: string, send: Send, messages?: number): Contender {
  return {
    name,
    ...(messages === undefined ? {} : { messages }),
    async start(): Promise<Running> {
      const { brokers, prefix, drop } = await kafka.fresh()
      const client = rawKafka(brokers)
      const topic = `${prefix}.raw`
      await createTopic(client, topic, partitions)
      const producer = await rawProducer(client)
      const written = await readWritten(brokers, topic)
      return {
        run: (count, ledger) =>
          send(producer, topic, count, (index) => {
            const message = rawMessage(index, partitions)
            ledger?.sent(message.headers.ce_id, message.value)
            return message
          }),
        collect: written.collect,
        async stop() {
          await written.close()
          await producer.disconnect()
          await drop()
        },
      }
    },
  }
}

function ours(): Contender {
  return {
    name: 'evt',
    async start(): Promise<Running> {
      const { brokers, prefix, drop } = await kafka.fresh()
      const transport = kafkaTransport({ brokers, prefix: `${prefix}.`, partitions })
      const bus = createBus({ service: 'bench', transport, logger: silentLogger })
      await bus.register([CustomerOrder])
      await transport.declare({ name: `evt.${CustomerOrder.name}`, partitions })
      const written = await readWritten(brokers, `${prefix}.evt.${CustomerOrder.name}`)
      return {
        run: (count, ledger) =>
          sideBySide(count, atOnce, async (index) => {
            const { id } = await bus.publish(CustomerOrder, orderOf(index))
            ledger?.sent(id, orderText(index))
          }),
        collect: written.collect,
        async stop() {
          await written.close()
          await bus.close()
          await drop()
        },
      }
    },
  }
}

/** What stands in a topic since the last look, by its ids. */
async function readWritten(brokers: readonly string[], topic: string) {
  const connection: KafkaConnection = kafkajsClient({ brokers }).connect()
  const offsets = [...(await connection.offsets(topic, 'latest'))]
  return {
    async collect(ledger: Ledger | undefined): Promise<void> {
      const ends = await connection.offsets(topic, 'latest')
      for (const [partition, end] of ends.entries()) {
        while (offsets[partition]! < end) {
          const { records, next } = await connection.fetch(topic, partition, offsets[partition]!)
          for (const { headers, value } of records)
            ledger?.handled(headers[headers.indexOf('ce_id') + 1] ?? '', value ?? undefined)
          offsets[partition] = next
        }
      }
    },
    close: () => connection.close(),
  }
}
