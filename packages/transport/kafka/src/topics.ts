import { crashPoint, evtError, type Topic } from '@evt/core'
import type { KafkaConnection, NewTopic } from './client.ts'
import { topicMissing } from './errors.ts'
import type { KafkaNames } from './names.ts'
import type { Settings } from './options.ts'
import { batchHeadroomBytes, checkTopic } from './topic-limits.ts'

export interface KnownTopic {
  readonly partitions: number
  /** What the broker takes at once. */
  readonly maxBatchBytes: number
}

export interface Topics {
  declare(topic: Topic): Promise<Topic>
  /** Partitions of a topic on the server, created with as many where it is missing. With a configuration: one of the transport's own. */
  ensure(serverName: string, partitions: number, config?: Readonly<Record<string, string>>): Promise<number>
  /** A topic that was declared, or one that exists. */
  find(name: string): Promise<KnownTopic> | KnownTopic
  /** Makes a topic again that is gone, or `EVT_KAFKA_MISSING` where that is not wanted. */
  recreate(serverName: string, partitions: number, config?: Readonly<Record<string, string>>): Promise<void>
  /** Asks the server again at the next use. */
  forget(serverName: string): void
}

const defaultMaxBatchBytes = 1_048_588
const createdAttempts = 20
const createdWaitMs = 25

export function kafkaTopics(connection: KafkaConnection, names: KafkaNames, settings: Settings): Topics {
  const { logger } = settings
  const known = new Map<string, KnownTopic>()
  /** Partitions of what this process has declared: those it may make again. */
  const declared = new Map<string, number>()
  const ownBatchBytes = settings.maxMessageBytes + batchHeadroomBytes
  const config = (isOwn: boolean): Record<string, string> => {
    const takenBytes = ownBatchBytes + 8_192
    // Whatever a topic takes, with what a retry or a dead letter adds.
    const batchBytes = isOwn ? Math.max(defaultMaxBatchBytes, takenBytes) + batchHeadroomBytes : takenBytes
    return {
      'cleanup.policy': 'delete',
      'retention.ms': String(settings.retentionMs ?? -1),
      'retention.bytes': '-1',
      // The broker's clock, so that a start by time does not depend on the publishers' clocks.
      'message.timestamp.type': 'LogAppendTime',
      ...(batchBytes > defaultMaxBatchBytes ? { 'max.message.bytes': String(batchBytes) } : {}),
    }
  }
  const look = async (serverName: string, isOwn: boolean): Promise<KnownTopic | undefined> => {
    const partitions = await connection.partitionsOf(serverName)
    if (partitions === undefined) return undefined
    const limit = isOwn ? ownBatchBytes : checkTopic(serverName, await connection.settingsOf(serverName), settings)
    const topic = { partitions, maxBatchBytes: Math.min(ownBatchBytes, limit) }
    known.set(serverName, topic)
    return topic
  }
  const create = async (topic: NewTopic): Promise<KnownTopic> => {
    await connection.createTopic(topic)
    crashPoint('transport.declared')
    // Another process may have been first, with another number.
    for (let attempt = 1; ; attempt += 1) {
      try {
        const partitions = await connection.partitionsOf(topic.topic)
        // Leaders of a new topic refuse to answer for a moment.
        if (partitions !== undefined && (await connection.offsets(topic.topic, 'latest')).length === partitions) {
          const created = { partitions, maxBatchBytes: ownBatchBytes }
          known.set(topic.topic, created)
          return created
        }
      } catch (error) {
        if (attempt === createdAttempts) throw error
      }
      if (attempt === createdAttempts) throw new Error(`the topic ${topic.topic} was created and cannot be found`)
      await new Promise<void>((resolve) => settings.clock.startTimer(resolve, createdWaitMs * attempt))
    }
  }
  const ensure: Topics['ensure'] = async (serverName, partitions, more) => {
    const found = known.get(serverName) ?? (await look(serverName, more !== undefined))
    if (found !== undefined) return found.partitions
    const { replicationFactor } = settings
    const created = await create({
      topic: serverName,
      partitions,
      replicationFactor,
      config: { ...config(more !== undefined), ...more },
    })
    return created.partitions
  }
  const recreate: Topics['recreate'] = async (serverName, partitions, more) => {
    known.delete(serverName)
    if (!settings.recreates) {
      if ((await look(serverName, true)) === undefined) throw topicMissing(serverName)
      return
    }
    await ensure(serverName, partitions, more)
  }
  const findOnServer = async (serverName: string): Promise<KnownTopic> => {
    const found = await look(serverName, false)
    if (found !== undefined) return found
    const partitions = declared.get(serverName)
    if (partitions === undefined) throw topicMissing(serverName)
    await recreate(serverName, partitions)
    logger.warn({ topic: serverName }, 'made again a topic that was gone')
    return known.get(serverName)!
  }
  return {
    ensure,
    recreate,
    async declare({ name, partitions }) {
      const serverName = names.topic(name)
      known.delete(serverName)
      const actual = await ensure(serverName, partitions ?? settings.partitions)
      if (partitions !== undefined && actual !== partitions) {
        const text = `The topic "${name}" has ${actual} partitions, not ${partitions}`
        throw evtError('EVT_TRANSPORT_PARTITIONS', text, { topic: name, wanted: partitions, actual })
      }
      declared.set(serverName, actual)
      return { name, partitions: actual }
    },
    find(name) {
      const serverName = names.topic(name)
      return known.get(serverName) ?? findOnServer(serverName)
    },
    forget: (serverName) => void known.delete(serverName),
  }
}
