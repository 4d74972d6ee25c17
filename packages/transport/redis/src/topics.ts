import { crashPoint, type EvtError, evtError, type Topic } from '@evt/core'
import { type RedisClient, redisFailure, runScript } from '@evt/redis'
import { streamKeys, type TopicKeys, topicKeys } from './names.ts'
import type { Scripts } from './scripts.ts'

export interface KnownTopic extends Topic {
  readonly keys: TopicKeys
  readonly streams: readonly string[]
}
export interface Topics {
  /** Creates or verifies a topic. */
  declare(topic: Topic): Promise<KnownTopic>
  /** A topic as it is; a plain one where there is none. Asked once. */
  find(name: string): KnownTopic | Promise<KnownTopic>
  /** Writes down again what a flushed server has forgotten; rejects where somebody else has written something else. */
  restore(topic: KnownTopic): Promise<void>
  /** The topic has other partitions than were known: answers the error and asks again at the next use. */
  changed(topic: KnownTopic, actual: number | undefined): EvtError<'EVT_TRANSPORT_PARTITIONS'>
}

/** Partitions never change once a topic exists, so each is asked for once. */
export function createTopics(client: RedisClient, scripts: Scripts, prefix: string): Topics {
  const known = new Map<string, KnownTopic>()
  const fix = async (name: string, partitions: number | undefined) => {
    const keys = topicKeys(prefix, name)
    const call = { script: scripts.declare, keys: [keys.topic], args: [partitions ?? 0] }
    try {
      const actual = Number(await runScript(client, call))
      crashPoint('transport.declared')
      return { name, keys, partitions: actual === 0 ? undefined : actual }
    } catch (error) {
      throw redisFailure(error, `Declaring the topic "${name}"`)
    }
  }
  const learn = async (name: string, partitions: number | undefined) => {
    const fixed = await fix(name, partitions)
    const topic = { ...fixed, streams: streamKeys(prefix, name, fixed.partitions) }
    known.set(name, topic)
    return topic
  }
  const changed = ({ name, partitions: wanted }: KnownTopic, actual: number | undefined) => {
    known.delete(name)
    const text = `"${name}" was lost by the server and declared anew with ${actual ?? 'no'} partitions, not ${wanted ?? 'none'}`
    return evtError('EVT_TRANSPORT_PARTITIONS', text, { topic: name, wanted, actual }, { retryable: true })
  }
  return {
    async declare({ name, partitions }) {
      const topic = known.get(name) ?? (await learn(name, partitions))
      if (partitions !== undefined && partitions !== topic.partitions) {
        const text = `"${name}" has ${topic.partitions ?? 'no'} partitions, not ${partitions}: whoever declared it first fixed that`
        throw evtError('EVT_TRANSPORT_PARTITIONS', text, { topic: name, wanted: partitions, actual: topic.partitions })
      }
      return topic
    },
    find: (name) => known.get(name) ?? learn(name, undefined),
    async restore(topic) {
      const { partitions } = await fix(topic.name, topic.partitions)
      if (partitions !== topic.partitions) throw changed(topic, partitions)
    },
    changed,
  }
}
