import { Kafka, logLevel } from 'kafkajs'
import type { Operator } from './operator.ts'

/** On the topic and the group that the Kafka transport makes under its default names. */
export async function kafkaOperator(url: string, topic: string, group: string): Promise<Operator> {
  const kafka = new Kafka({ brokers: [new URL(url).host], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const kept = async () => {
    const offsets = await admin.fetchTopicOffsets(topic)
    return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0)
  }
  return {
    losses: [
      {
        what: 'the group is deleted',
        takesMessages: false,
        // Kafka refuses as long as it has members.
        needsNobody: true,
        strike: async () => void (await admin.deleteGroups([`${group}:${topic}`])),
      },
      { what: 'the topic is deleted', takesMessages: true, strike: () => admin.deleteTopics({ topics: [topic] }) },
    ],
    // A disk cannot be filled here, and a topic with one copy always has enough of them in sync.
    refusals: [],
    tellsTheAbsent: true,
    kept,
    async cut() {
      const offsets = await admin.fetchTopicOffsets(topic)
      const partitions = offsets.map(({ partition, high, low }) => {
        return { partition, offset: String(Number(low) + Math.floor((Number(high) - Number(low)) / 2)) }
      })
      const before = await kept()
      await admin.deleteTopicRecords({ topic, partitions: partitions.filter(({ offset }) => offset !== '0') })
      return before - (await kept())
    },
    close: () => admin.disconnect(),
  }
}
