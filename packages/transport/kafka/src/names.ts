import { createHash } from 'node:crypto'
import { encodeTopic } from '@evt/core'

const maxTopicBytes = 249

/** What things are called on the server. No encoded name has a letter after `g` behind a single dash, so no user's topic is one of these. */
export interface KafkaNames {
  topic(name: string): string
  /** One group per consumer and topic: members of one Kafka group would share the generations of all its topics. */
  group(consumer: string, topic: string): string
  /** The consumer of a group of this topic, or undefined for a group that is none. */
  consumerOf(group: string, topic: string): string | undefined
  /** Where a group's delayed retries of a topic wait. */
  retryTopic(consumer: string, topic: string): string
  letters(topic: string): string
}

export function kafkaNames(prefix: string): KafkaNames {
  const topic = (name: string) => `${prefix}${name}`
  return {
    topic,
    group: (consumer, name) => `${prefix}${consumer}:${name}`,
    consumerOf(group, name) {
      const end = `:${name}`
      if (!group.startsWith(prefix) || !group.endsWith(end)) return undefined
      const consumer = group.slice(prefix.length, -end.length)
      return consumer.includes(':') ? undefined : consumer
    },
    retryTopic(consumer, name) {
      const encoded = encodeTopic('r', consumer.slice(0, 80)).slice(2)
      const readable = `${prefix}${name}-retry-${encoded}`
      if (consumer.length <= 80 && readable.length <= maxTopicBytes) return readable
      const hash = createHash('sha256').update(`${name} ${consumer}`).digest('hex').slice(0, 32)
      return `${prefix}${name.slice(0, maxTopicBytes - prefix.length - 39)}-retry-${hash}`
    },
    letters: (name) => `${prefix}${name}-letters`,
  }
}
