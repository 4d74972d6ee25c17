import { Kafka, logLevel } from 'kafkajs'
import { kafka } from '../src/index.ts'

const silent = { logLevel: logLevel.NOTHING, retry: { retries: 2, initialRetryTime: 50 } }

/** Produces one message and waits until a consumer of a new group has it. */
async function roundTrip(brokers: readonly string[], prefix: string): Promise<string | undefined> {
  const client = new Kafka({ brokers: [...brokers], ...silent, retry: {} })
  const topic = `${prefix}-orders`
  const admin = client.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
  await admin.disconnect()
  const producer = client.producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ value: 'hello' }] })
  await producer.disconnect()
  const consumer = client.consumer({ groupId: `${prefix}-workers`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const value = await new Promise<string | undefined>((resolve, reject) => {
    consumer.run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) }).catch(reject)
  })
  await consumer.disconnect()
  return value
}

async function topics(brokers: readonly string[]): Promise<string[]> {
  const admin = new Kafka({ brokers: [...brokers], ...silent }).admin()
  await admin.connect()
  try {
    return await admin.listTopics()
  } finally {
    await admin.disconnect()
  }
}

kafka.describe("a test's Kafka", () => {
  it('delivers what is produced to a group, under names that go when they are dropped', async () => {
    const place = await kafka.fresh()
    expect(await roundTrip(place.brokers, place.prefix)).toBe('hello')
    expect(await topics(place.brokers)).toContain(`${place.prefix}-orders`)
    await place.drop()
    expect(await topics(place.brokers)).not.toContain(`${place.prefix}-orders`)
  }, 60_000)

  it('starts a private server that keeps its topics over a crash, and stops', async () => {
    const server = await kafka.start()
    const brokers = [new URL(server.url).host]
    expect(await roundTrip(brokers, 'before')).toBe('hello')
    await server.kill()
    await expect(topics(brokers)).rejects.toThrow('ECONNREFUSED')
    await server.restart()
    expect(await topics(brokers)).toContain('before-orders')
    expect(await roundTrip(brokers, 'after')).toBe('hello')
    await server.stop()
    await expect(topics(brokers)).rejects.toThrow('ECONNREFUSED')
  }, 120_000)
})
