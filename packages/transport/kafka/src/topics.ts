import { crashPoint, evtError, type Topic } from '@evt/core'
import type { KafkaConnection, NewTopic } from './client.ts'
import type { KafkaNames } from './names.ts'
import type { Settings } from './options.ts'

export interface Topics {
  declare(topic: Topic): Promise<Topic>
  /** Partitions of a topic on the server, created with as many where it is missing. */
  ensure(serverName: string, partitions: number, config?: Readonly<Record<string, string>>): Promise<number>
  /** Partitions of a topic that was declared, or of one that exists. */
  partitionsOf(name: string): Promise<number> | number
  /** Asks the server again at the next use. */
  forget(serverName: string): void
}

/** Kafka's limit for a batch, what its headers and its dead letter add included. */
export const batchHeadroomBytes = 40_000
const defaultMaxBatchBytes = 1_048_588

export function kafkaTopics(connection: KafkaConnection, names: KafkaNames, settings: Settings): Topics {
  const known = new Map<string, number>()
  const config = (): Record<string, string> => {
    const batchBytes = settings.maxMessageBytes + batchHeadroomBytes + 8_192
    return {
      'cleanup.policy': 'delete',
      'retention.ms': String(settings.retentionMs ?? -1),
      'retention.bytes': '-1',
      // The broker's clock, so that a start by time does not depend on the publishers' clocks.
      'message.timestamp.type': 'LogAppendTime',
      ...(batchBytes > defaultMaxBatchBytes ? { 'max.message.bytes': String(batchBytes) } : {}),
    }
  }
  const find = async (serverName: string): Promise<number | undefined> => {
    const partitions = await connection.partitionsOf(serverName)
    if (partitions !== undefined) known.set(serverName, partitions)
    return partitions
  }
  const ensure: Topics['ensure'] = async (serverName, partitions, more = {}) => {
    const found = known.get(serverName) ?? (await find(serverName))
    if (found !== undefined) return found
    const topic: NewTopic = {
      topic: serverName,
      partitions,
      replicationFactor: settings.replicationFactor,
      config: { ...config(), ...more },
    }
    await connection.createTopic(topic)
    crashPoint('transport.declared')
    // Another process may have been first, with another number.
    for (let attempt = 1; ; attempt += 1) {
      try {
        const created = await find(serverName)
        // Leaders of a new topic refuse to answer for a moment.
        if (created !== undefined && (await connection.offsets(serverName, 'latest')).length === created) return created
      } catch (error) {
        if (attempt === 20) throw error
      }
      if (attempt === 20) throw new Error(`the topic ${serverName} was created and cannot be found`)
      await new Promise<void>((resolve) => settings.clock.startTimer(resolve, 25 * attempt))
    }
  }
  const findExisting = async (serverName: string): Promise<number> => {
    const found = await find(serverName)
    if (found === undefined) throw new Error(`there is no topic ${serverName}`)
    return found
  }
  return {
    ensure,
    async declare({ name, partitions }) {
      const serverName = names.topic(name)
      known.delete(serverName)
      const actual = await ensure(serverName, partitions ?? settings.partitions)
      if (partitions !== undefined && actual !== partitions) {
        const text = `The topic "${name}" has ${actual} partitions, not ${partitions}`
        throw evtError('EVT_TRANSPORT_PARTITIONS', text, { topic: name, wanted: partitions, actual })
      }
      return { name, partitions: actual }
    },
    partitionsOf(name) {
      const serverName = names.topic(name)
      return known.get(serverName) ?? findExisting(serverName)
    },
    forget: (serverName) => void known.delete(serverName),
  }
}
