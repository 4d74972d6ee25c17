import { createBus, silentLogger } from '@evt/core'
import { kafka } from '@evt/servers'
import { kafkaTransport } from '@evt/transport-kafka'
import type { Consumer, EachBatchPayload, EachMessagePayload } from 'kafkajs'
import type { Ledger } from './ledger.ts'
import type { Order } from './order.ts'
import { CustomerOrder, createTopic, rawKafka, rawMessage } from './w8-message.ts'
import type { Contender, Running, Workload } from './workload.ts'

const concurrency = 100
const prefetch = 1_000
const perSend = 500
const nothing = async () => {}
const millisecond = () => new Promise<void>((resolve) => setTimeout(resolve, 1))

/** A backlog of 1,000 keys, at least once. It becomes visible at once, by the end of a transaction, to readers that wait for it. */
export const workloads: readonly Workload[] = [1, 3].flatMap((partitions) => [
  noOp(partitions),
  oneMillisecond(partitions, partitions === 1 ? 20 : 10),
])

function noOp(partitions: number): Workload {
  return {
    kind: 'throughput',
    id: `w8.consume${partitions}`,
    title: `Kafka: consume ${over(partitions)}, handlers that do nothing, concurrency ${concurrency}, prefetch ${prefetch.toLocaleString('en')}`,
    messages: 10_000,
    checked: 'once',
    servers: ['kafka'],
    contenders: [
      contender('kafkajs eachBatch + decode', partitions, eachBatch),
      contender('kafkajs eachMessage', partitions, eachMessage(nothing)),
      contender('evt', partitions, ours(nothing)),
    ],
    goals: [
      {
        text: 'of the speed of eachBatch + decode',
        value: (read) => read.ratio('evt', 'kafkajs eachBatch + decode'),
        atLeast: 0.9,
      },
    ],
  }
}

function oneMillisecond(partitions: number, times: number): Workload {
  return {
    kind: 'throughput',
    id: `w8.slow${partitions}`,
    title: `Kafka: consume ${over(partitions)}, handlers of 1 ms, concurrency ${concurrency}, prefetch ${prefetch.toLocaleString('en')}`,
    messages: 10_000,
    checked: 'once',
    servers: ['kafka'],
    contenders: [
      { ...contender('kafkajs eachMessage', partitions, eachMessage(millisecond)), messages: 500 * partitions },
      contender('evt', partitions, ours(millisecond)),
    ],
    goals: [{ text: 'times eachMessage', value: (read) => read.ratio('evt', 'kafkajs eachMessage'), atLeast: times }],
  }
}

function over(partitions: number): string {
  return partitions === 1 ? 'one partition' : `${partitions} partitions`
}

interface Place {
  readonly brokers: readonly string[]
  readonly prefix: string
  readonly topic: string
  readonly partitions: number
}
type Handled = (payload: Order, id: string) => void
/** Reads the topic from now on; answers how to stop. */
type Read = (place: Place, handled: Handled) => Promise<() => Promise<void>>

function contender(name: string, partitions: number, read: Read): Contender {
  return {
    name,
    async start(): Promise<Running> {
      const { brokers, prefix, drop } = await kafka.fresh()
      const topic = `${prefix}.evt.${CustomerOrder.name}`
      const client = rawKafka(brokers)
      await createTopic(client, topic, partitions)
      const producer = client.producer({ transactionalId: prefix, idempotent: true, maxInFlightRequests: 1 })
      await producer.connect()
      let handled = 0
      let wanted = Number.POSITIVE_INFINITY
      let onDone: () => void = () => {}
      let current: Ledger | undefined
      const stopReading = await read({ brokers, prefix, topic, partitions }, (payload, id) => {
        handled += 1
        current?.handled(id, JSON.stringify(payload))
        if (handled >= wanted) onDone()
      })
      let show: () => Promise<void> = nothing
      return {
        async prepare(count, ledger) {
          const transaction = await producer.transaction()
          for (let from = 0; from < count; from += perSend) {
            const length = Math.min(perSend, count - from)
            const messages = Array.from({ length }, (_value, index) => rawMessage(from + index, partitions))
            for (const { headers, value } of messages) ledger?.sent(headers.ce_id, value)
            await transaction.send({ topic, messages })
          }
          show = () => transaction.commit()
        },
        async run(count, ledger) {
          current = ledger
          wanted = handled + count
          const done = new Promise<void>((resolve) => {
            onDone = resolve
          })
          await show()
          await done
          current = undefined
        },
        handled: () => handled,
        async stop() {
          await stopReading()
          await producer.disconnect()
          await drop()
        },
      }
    },
  }
}

/** A group that has its partitions: what is published from now on is read without a join in between. */
async function joined(
  { brokers, prefix, topic }: Place,
  run: (consumer: Consumer) => Promise<void>,
): Promise<() => Promise<void>> {
  const consumer = rawKafka(brokers).consumer({ groupId: `${prefix}.raw`, allowAutoTopicCreation: false })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const ready = new Promise<void>((resolve) => consumer.on('consumer.group_join', () => resolve()))
  await Promise.all([run(consumer), ready])
  return () => consumer.disconnect()
}

function eachBatch(place: Place, handled: Handled): Promise<() => Promise<void>> {
  return joined(place, (consumer) =>
    consumer.run({
      async eachBatch({ batch }: EachBatchPayload) {
        for (const message of batch.messages) handled(...decode(message))
      },
    }),
  )
}

function eachMessage(handler: () => Promise<void>): Read {
  return (place, handled) =>
    joined(place, (consumer) =>
      consumer.run({
        partitionsConsumedConcurrently: place.partitions,
        async eachMessage({ message }: EachMessagePayload) {
          const [payload, id] = decode(message)
          await handler()
          handled(payload, id)
        },
      }),
    )
}

function decode({ value, headers }: EachMessagePayload['message']): [Order, string] {
  return [JSON.parse(value!.toString()) as Order, headers!.ce_id!.toString()]
}

function ours(handler: () => Promise<void>): Read {
  return async ({ brokers, prefix, partitions }, handled) => {
    const transport = kafkaTransport({ brokers, prefix: `${prefix}.`, partitions })
    const bus = createBus({ service: 'bench', transport, logger: silentLogger })
    await bus.subscribe(
      CustomerOrder,
      async (payload, { id }) => {
        await handler()
        handled(payload, id)
      },
      { group: 'workers', concurrency, prefetch },
    )
    return () => bus.close()
  }
}
