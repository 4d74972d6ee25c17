import { randomUUID } from 'node:crypto'
import { defineEvent, type EventDefinition, type } from '@evt/core'
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { type Order, order } from './order.ts'

/** Keyed by its customer. Retries keep the order of a key, so its messages go through lanes. */
export const CustomerOrder: EventDefinition<'order.created', Order> = defineEvent('order.created', {
  schema: type<Order>(),
  key: (payload) => payload.customer.id,
})
const customers = 1_000

export function orderOf(index: number): Order {
  return { ...order, customer: { ...order.customer, id: `c-${index % customers}` } }
}

const texts = Array.from({ length: customers }, (_value, index) => JSON.stringify(orderOf(index)))

/** The payload's JSON, for the ledger. */
export function orderText(index: number): string {
  return texts[index % customers]!
}

/** What `publish` writes, written by hand: id, key, eight headers, JSON. */
export interface RawMessage {
  readonly key: string
  readonly value: string
  readonly partition: number
  readonly headers: { readonly ce_id: string; readonly [name: string]: string }
}

export function rawMessage(index: number, partitions: number): RawMessage {
  const payload = orderOf(index)
  const key = payload.customer.id
  return {
    key,
    value: JSON.stringify(payload),
    partition: (index % customers) % partitions,
    headers: {
      ce_specversion: '1.0',
      ce_id: randomUUID(),
      ce_source: '/bench',
      ce_type: 'order.created',
      ce_time: new Date().toISOString(),
      ce_dataschema: 'urn:evt:order.created:1',
      'content-type': 'application/json',
      ce_partitionkey: key,
    },
  }
}

export function rawKafka(brokers: readonly string[]): Kafka {
  return new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
}

export async function createTopic(kafka: Kafka, topic: string, partitions: number): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }]
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: partitions, configEntries }] })
  await admin.disconnect()
}

/** With the settings that our transport has: acknowledged by all replicas, no producer id. */
export async function rawProducer(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({ idempotent: false, allowAutoTopicCreation: false })
  await producer.connect()
  return producer
}
