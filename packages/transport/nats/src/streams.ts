import { crashPoint, evtError, partitionOf, type Topic } from '@evt/core'
import { differs, missing } from './errors.ts'
import { type Ask, nanosPerMs, type StreamConfig, type StreamInfo } from './js-api.ts'
import type { JetstreamSettings } from './js-options.ts'
import { checkSubject } from './names.ts'

/** A topic as it is on the server. */
export interface KnownTopic extends Topic {
  readonly stream: string
  /** What its messages are published to: one subject, or one for each partition. */
  readonly subjects: readonly string[]
  /** When its stream was made: tells one that was made again from the one before. */
  readonly created: string
}
/** Where a topic's dead letters or attempts are kept, in a stream that is made when it is first needed. */
export interface Side {
  readonly stream: string
  readonly subject: string
  ensure(): Promise<void>
  /** It may be gone: the next `ensure` looks again. */
  forget(): void
}
export interface Streams {
  known(topic: string): KnownTopic | undefined
  /** Finds, verifies or creates. Any number of processes may do so at once. */
  declare(topic: Topic): Promise<KnownTopic>
  info(stream: string, body?: object): Promise<StreamInfo | undefined>
  side(topic: string, kind: 'dead' | 'attempts'): Side
}

const compared = ['retention', 'storage', 'num_replicas', 'duplicate_window', 'max_msgs_per_subject', 'no_ack'] as const
/** Of a stream that is somebody else's: what our promises hang on. */
const comparedInOthers = ['duplicate_window', 'no_ack'] as const
const maxPartitions = 1_024
const attemptsMaxAgeMs = 14 * 86_400_000

/** The subject of a message: of its key's partition, or of any where it has no key. */
export function subjectOf({ subjects }: KnownTopic, key: string | undefined, id: string): string {
  return subjects.length === 1 ? subjects[0]! : subjects[partitionOf(key ?? id, subjects.length)]!
}

export function createStreams(ask: Ask, settings: JetstreamSettings): Streams {
  const { prefix, replicas, duplicateWindowMs, recreates } = settings
  const topics = new Map<string, KnownTopic>()
  const sides = new Map<string, Promise<void>>()
  // Topics have no underscore, so what has one is no topic's.
  const streamOf = (topic: string) => `${prefix}${topic}`.replaceAll('.', '_')
  const info = (stream: string, body: object = {}) =>
    ask<StreamInfo>(`Looking at stream ${stream}`, `STREAM.INFO.${stream}`, body)
  const configOf = (name: string, subjects: readonly string[]): StreamConfig => ({
    name,
    subjects,
    retention: 'limits',
    storage: 'file',
    num_replicas: replicas,
    duplicate_window: duplicateWindowMs * nanosPerMs,
    max_age: 0,
    max_msgs_per_subject: -1,
    no_ack: false,
  })
  const verify = (wanted: StreamConfig, { config }: StreamInfo, fields: readonly (keyof StreamConfig)[] = compared) => {
    for (const field of fields) {
      // What is false or zero may be left out.
      if ((config[field] || false) !== (wanted[field] || false))
        throw differs(`Stream ${wanted.name}`, field, wanted[field], config[field])
    }
  }
  const create = async (config: StreamConfig) => {
    try {
      const created = await ask<StreamInfo>(`Creating stream ${config.name}`, `STREAM.CREATE.${config.name}`, config)
      if (created !== undefined) return created
    } catch (error) {
      // Somebody else was quicker and wanted it otherwise; what differs is named by whoever compares.
      const found = await info(config.name)
      if (found === undefined) throw error
      return found
    }
    throw missing(`Stream ${config.name}`)
  }
  const partitionsOf = (subjects: readonly string[]) => (subjects[0]?.includes('._p.') ? subjects.length : undefined)

  const declareOwn = async ({ name, partitions }: Topic): Promise<KnownTopic> => {
    const stream = streamOf(name)
    const base = `${prefix}${name}`
    const subjects =
      partitions === undefined ? [base] : Array.from({ length: partitions }, (_each, index) => `${base}._p.${index}`)
    const existing = await info(stream)
    if (existing === undefined && topics.has(name) && !recreates) throw missing(`Stream ${stream}`)
    const found = existing ?? (await create(configOf(stream, subjects)))
    if (existing === undefined) crashPoint('transport.declared')
    verify(configOf(stream, subjects), found)
    const actual = partitionsOf(found.config.subjects)
    if (partitions !== undefined && actual !== partitions) {
      const text = `"${name}" has ${actual ?? 'no'} partitions, wanted are ${partitions}`
      throw evtError('EVT_TRANSPORT_PARTITIONS', text, { topic: name, wanted: partitions, actual })
    }
    const isOurs = (subject: string, index: number) => subject === (actual === undefined ? base : `${base}._p.${index}`)
    if (found.config.subjects.length !== (actual ?? 1) || !found.config.subjects.every(isOurs))
      throw differs(`Stream ${stream}`, 'subjects', subjects, found.config.subjects)
    return { name, partitions: actual, stream, subjects: found.config.subjects, created: found.created }
  }
  const declareIn = async (stream: string, { name, partitions }: Topic): Promise<KnownTopic> => {
    if (partitions !== undefined) {
      const text = `"${name}" cannot have ${partitions} partitions in stream ${stream}, which is somebody else's`
      throw evtError('EVT_TRANSPORT_PARTITIONS', text, { topic: name, wanted: partitions, actual: undefined })
    }
    const found = await info(stream)
    if (found === undefined) throw missing(`Stream ${stream}`)
    const subject = `${prefix}${name}`
    verify(configOf(stream, [subject]), found, comparedInOthers)
    if (!found.config.subjects.some((pattern) => covers(pattern, subject)))
      throw differs(`Stream ${stream}`, 'subjects', subject, found.config.subjects)
    return { name, partitions, stream, subjects: [subject], created: found.created }
  }
  return {
    known: (topic) => topics.get(topic),
    async declare(topic) {
      const { name, partitions } = topic
      checkSubject('topic', name)
      if (partitions !== undefined && partitions > maxPartitions) {
        const text = `"${name}" can have at most ${maxPartitions} partitions`
        throw evtError('EVT_TRANSPORT_PARTITIONS', text, { topic: name, wanted: partitions, actual: maxPartitions })
      }
      const declared = await (settings.stream === undefined ? declareOwn(topic) : declareIn(settings.stream, topic))
      topics.set(name, declared)
      return declared
    },
    info,
    side(topic, kind) {
      const stream = `${streamOf(checkSubject('topic', topic))}__${kind}`
      const subject = `${prefix}${topic}._${kind}`
      return {
        stream,
        subject,
        ensure() {
          let ensuring = sides.get(stream)
          if (ensuring === undefined) {
            const config = {
              ...configOf(stream, [`${subject}.>`]),
              max_msgs_per_subject: 1,
              max_age: kind === 'attempts' ? attemptsMaxAgeMs * nanosPerMs : 0,
            }
            ensuring = info(stream).then(async (found) => verify(config, found ?? (await create(config))))
            ensuring.catch(() => sides.delete(stream))
            sides.set(stream, ensuring)
          }
          return ensuring
        },
        forget: () => sides.delete(stream),
      }
    },
  }
}

function covers(pattern: string, subject: string): boolean {
  const tokens = subject.split('.')
  const wanted = pattern.split('.')
  for (const [index, part] of wanted.entries()) {
    if (part === '>') return tokens.length > index
    if (tokens[index] === undefined || (part !== '*' && part !== tokens[index])) return false
  }
  return tokens.length === wanted.length
}
