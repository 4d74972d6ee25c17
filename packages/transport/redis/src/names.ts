import { taggedKey } from '@evt/redis'

/** The keys of a topic. They share its name as hash tag, so that scripts may change them together. */
export interface TopicKeys {
  readonly topic: string
  readonly letters: string
  readonly letterCounts: string
  readonly ephemerals: string
  readonly cuts: string
  group(name: string): GroupKeys
}
export interface GroupKeys {
  readonly sessions: string
  readonly attempts: string
  readonly due: string
  readonly retry: string
}

export function topicKeys(prefix: string, topic: string): TopicKeys {
  const key = (...parts: readonly string[]) => taggedKey(prefix, topic, ...parts)
  return {
    topic: key('topic'),
    letters: key('dead-letters'),
    letterCounts: key('dead-letter-counts'),
    ephemerals: key('ephemeral-groups'),
    cuts: key('cuts'),
    group: (name) => ({
      sessions: key('group', name, 'sessions'),
      attempts: key('group', name, 'attempts'),
      due: key('group', name, 'due'),
      retry: key('group', name, 'retry'),
    }),
  }
}

/** The streams of a topic: one, or one per partition. */
export function streamKeys(prefix: string, topic: string, partitions: number | undefined): readonly string[] {
  if (partitions === undefined) return [taggedKey(prefix, topic, 'stream')]
  return Array.from({ length: partitions }, (_value, partition) =>
    taggedKey(prefix, topic, 'stream', String(partition)),
  )
}
