import { kafka } from '@evt/servers'
import { Kafka, logLevel } from 'kafkajs'
import { kafkajsClient } from '../src/index.ts'
import { eventually } from './raw.ts'

kafka.describe('what a connection knows of topics', () => {
  test('a topic that was there and has been deleted is missing, not a failure without a name', async () => {
    const place = await kafka.fresh()
    const topic = `${place.prefix}.gone`
    const connection = kafkajsClient({ brokers: place.brokers }).connect()
    const admin = new Kafka({ brokers: [...place.brokers], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    try {
      await connection.createTopic({ topic, partitions: 2, replicationFactor: -1, config: {} })
      await eventually(async () => (await connection.partitionsOf(topic)) === 2, 'a topic that was made is found')
      await admin.deleteTopics({ topics: [topic] })
      const answers: unknown[] = []
      await eventually(async () => {
        answers.push(await connection.partitionsOf(topic).catch((error: unknown) => error))
        return answers.at(-1) === undefined
      }, 'a topic that was deleted is missing')
      expect(answers.filter((answer) => answer instanceof TypeError)).toEqual([])
    } finally {
      await admin.disconnect()
      await connection.close()
      await place.drop()
    }
  })
})
