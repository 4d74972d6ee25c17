import { type ConsumerEvents, crashPoint, evtError, type PublishFailure, type Transport } from '@evt/core'
import { createAttempts } from './attempts.ts'
import { type DeadLetter, encodeLetter, readLetters, removeLetters } from './dead-letters.ts'
import { type Durable, durableInfo, durablesOf, ensureDurable, startingAt } from './durables.ts'
import { messageEncoder } from './encode-message.ts'
import { missing } from './errors.ts'
import { type Ask, jsApi, jsCode } from './js-api.ts'
import { jsConsumer } from './js-consumer.ts'
import { type JetstreamTransportOptions, readJetstreamOptions } from './js-options.ts'
import { jetstreamSupport, reservedBytes } from './js-support.ts'
import { type Link, openLink } from './link.ts'
import { token } from './names.ts'
import { consumersOf, inspect, trim } from './places.ts'
import { Progress } from './progress.ts'
import { type Encoded, publishAll } from './publish.ts'
import type { Received } from './received.ts'
import { createSkipped } from './skipped.ts'
import { createStreams, type KnownTopic, type Side, type Streams, subjectOf } from './streams.ts'

const floorsEveryMs = 5_000

/** What `open` makes. */
interface Opened {
  readonly link: Link
  readonly ask: Ask
  readonly streams: Streams
}

/** Events over JetStream of NATS 2.9 or newer: durable, at least once. Throws for options that cannot be honoured. */
export function jetstreamTransport(options: JetstreamTransportOptions): Transport {
  const settings = readJetstreamOptions(options)
  const { clock, answerTimeoutMs, stream: foreign, recreates, reapAfterMs, inboxPrefix } = settings
  const encode = messageEncoder()
  let supports = jetstreamSupport(1_024 * 1_024, settings)
  let opened: Opened | undefined
  /** Up to where whole groups have acknowledged, as last seen: where one that is made again may begin. */
  const floors = new Map<string, { readonly sequence: number; readonly created: string }>()
  const skipped = createSkipped()
  /** Who reads here, by topic and consumer. */
  const reading = new Map<string, Set<ConsumerEvents>>()

  const send = (messages: readonly Encoded[]) => publishAll(opened!.link, messages, answerTimeoutMs, clock.startTimer)
  const topicOf = async (name: string): Promise<KnownTopic> =>
    opened!.streams.known(name) ?? (await opened!.streams.declare({ name, partitions: undefined }))
  const floorKey = (stream: string, durable: string) => `${stream} ${durable}`

  const publishStored = async (side: Side, messages: readonly Encoded[], tolerated: number | undefined) => {
    for (const { error } of await send(messages)) {
      const { code } = (error as { details?: { code?: unknown } }).details ?? {}
      if (code !== undefined && code === tolerated) continue
      side.forget()
      throw error
    }
  }
  return {
    name: 'jetstream',
    get supports() {
      return supports
    },
    async open() {
      const link = await openLink(settings)
      try {
        const { version, headers, jetstream, max_payload } = link.info
        const [major = 0, minor = 0] = version.split('.').map(Number)
        const needed = headers !== true || jetstream !== true ? 'JetStream' : '2.9'
        if (needed === 'JetStream' || major < 2 || (major === 2 && minor < 9))
          throw evtError('EVT_NATS_SERVER', `NATS ${version} will not do: ${needed} is needed`, { version, needed })
        await link.hear()
        const ask = jsApi(link)
        opened = { link, ask, streams: createStreams(ask, settings) }
        supports = jetstreamSupport(max_payload - reservedBytes(max_payload), settings)
      } catch (error) {
        await link.close()
        throw error
      }
    },
    async declare(topic) {
      const { name, partitions } = await opened!.streams.declare(topic)
      return { name, partitions }
    },
    async publish(batch) {
      const { link, streams } = opened!
      const obstacle = link.obstacle('Publishing')
      if (obstacle !== undefined)
        return batch.map((_outgoing, index) => ({ index, outcome: 'unavailable', error: obstacle }))
      const failures: PublishFailure[] = []
      const messages: Encoded[] = []
      for (let index = 0; index < batch.length; index += 1) {
        const outgoing = batch[index]!
        try {
          const topic = streams.known(outgoing.topic) ?? (await topicOf(outgoing.topic))
          // A stream of several topics remembers ids for all of them together.
          const control = { 'Nats-Msg-Id': foreign === undefined ? outgoing.id : `${topic.name}:${outgoing.id}` }
          messages.push({
            index,
            subject: subjectOf(topic, outgoing.key, outgoing.id),
            payload: outgoing.payload,
            headers: encode(outgoing, control, supports.maxMessageBytes),
          })
        } catch (error) {
          const outcome = (error as { retryable?: boolean }).retryable === true ? 'unavailable' : 'refused'
          failures.push({ index, outcome, error })
        }
      }
      const failed = await send(messages)
      crashPoint('transport.published')
      if (recreates && link.connected) {
        // Nobody took it: the stream may be gone, and then the next try finds it again.
        const gone = failed.filter(({ outcome }) => outcome === 'unavailable').map(({ index }) => batch[index]!.topic)
        for (const name of new Set(gone)) await streams.declare(streams.known(name)!).catch(() => undefined)
      }
      return [...failures, ...failed].sort((left, right) => left.index - right.index)
    },
    async consume(spec, events) {
      const { link, ask, streams } = opened!
      const topic = await topicOf(spec.topic)
      const durables = durablesOf(topic, spec, reapAfterMs)
      const ephemeral = 'reader' in spec.as && spec.as.reader === 'ephemeral'
      const infos = await Promise.all(durables.map((durable) => ensureDurable(ask, topic.stream, durable)))
      crashPoint('transport.groupCreated')
      let { created } = topic
      for (const { name, ack_floor } of infos)
        floors.set(floorKey(topic.stream, name), { sequence: ack_floor.stream_seq, created })
      for (const info of infos) skipped.begin({ stream: topic.stream, created, firstSequence: 1 }, info)
      const heal = async (durable: Durable, resumeAt: number | undefined, streamCreated: string) => {
        if ((await durableInfo(ask, topic.stream, durable.name)) !== undefined) return
        if (!recreates) throw missing(`Consumer ${durable.name} of stream ${topic.stream}`)
        const key = floorKey(topic.stream, durable.name)
        const floor = floors.get(key)
        // What is known of another stream says nothing about this one.
        const from = resumeAt ?? (floor?.created === streamCreated ? floor.sequence + 1 : 1)
        await ensureDurable(ask, topic.stream, startingAt(durable, from))
        events.recreated(`consumer ${durable.name}`)
      }
      let floorsDueMs = clock.monotonicMs() + floorsEveryMs
      const noteFloor = async (name: string) => {
        const info = await durableInfo(ask, topic.stream, name)
        if (info !== undefined)
          floors.set(floorKey(topic.stream, name), { sequence: info.ack_floor.stream_seq, created })
      }
      const consumerToken = token('c', spec.consumer)
      const dead = streams.side(topic.name, 'dead')
      const attempts = streams.side(topic.name, 'attempts')
      const readingKey = `${topic.name} ${spec.consumer}`
      const readers = reading.get(readingKey) ?? new Set()
      reading.set(readingKey, readers.add(events))
      return jsConsumer({
        link,
        clock,
        inboxPrefix,
        spec,
        events,
        topic,
        durables,
        attempts: createAttempts(ask, attempts, consumerToken, (messages) =>
          publishStored(attempts, messages, undefined),
        ),
        async keepDeadLetters(letters: readonly DeadLetter[]) {
          await dead.ensure()
          const messages = letters.map((letter, index) => {
            const subject = `${dead.subject}.${consumerToken}.${(letter.delivery.receipt as Received).place}`
            const { max_payload: maxBytes } = link.info
            return encodeLetter(letter, { index, consumer: spec.consumer, subject, stream: topic.stream, maxBytes })
          })
          // A letter that is there already was kept by a run that died before it settled.
          await publishStored(dead, messages, jsCode.wrongLastSequence)
        },
        async lastHandedOver(partition) {
          const info = await durableInfo(ask, topic.stream, durables[partition]!.name)
          return info?.delivered.stream_seq ?? 0
        },
        progress: ephemeral
          ? infos.map(({ delivered, ack_floor }) => new Progress(Math.max(delivered.stream_seq, ack_floor.stream_seq)))
          : undefined,
        async heal(progress) {
          let stream = await streams.info(topic.stream)
          if (stream === undefined) {
            await streams.declare({ name: topic.name, partitions: topic.partitions })
            events.recreated(`stream ${topic.stream}`)
            stream = await streams.info(topic.stream)
            if (stream === undefined) throw missing(`Stream ${topic.stream}`)
          }
          const isAnother = stream.created !== created
          created = stream.created
          for (const [partition, durable] of durables.entries())
            await heal(durable, isAnother ? 1 : progress?.[partition]?.next, created)
          return isAnother
        },
        onSettled() {
          // In a stream of our own trimming looks at them.
          if (foreign === undefined || clock.monotonicMs() < floorsDueMs) return
          floorsDueMs = clock.monotonicMs() + floorsEveryMs
          for (const { name } of durables) void noteFloor(name).catch(() => undefined)
        },
        async onClose(isHeard) {
          readers.delete(events)
          if (readers.size === 0) reading.delete(readingKey)
          if (!ephemeral || !isHeard) return
          for (const { name } of durables)
            await ask(`Removing consumer ${name}`, `CONSUMER.DELETE.${topic.stream}.${name}`, {}).catch(() => undefined)
        },
      })
    },
    async inspect(name) {
      const { ask, streams } = opened!
      return inspect(ask, streams, await topicOf(name), streams.side(name, 'dead'), clock.nowMs())
    },
    async trim(name) {
      const { ask, streams } = opened!
      const topic = await topicOf(name)
      const stream = foreign === undefined ? await streams.info(topic.stream) : undefined
      if (stream === undefined) return { removed: 0, heldBackBy: null }
      const consumers = await consumersOf(ask, topic)
      for (const info of consumers) {
        const key = floorKey(topic.stream, info.name)
        // Of those that are not read here nothing is remembered.
        if (!floors.has(key)) continue
        floors.set(key, { sequence: info.ack_floor.stream_seq, created: stream.created })
        if (topic.partitions !== undefined) continue
        const place = { stream: topic.stream, created: stream.created, firstSequence: stream.state.first_seq }
        const gone = skipped.since(place, info)
        if (gone < 1) continue
        // We remove nothing that is unread.
        for (const events of reading.get(`${name} ${info.config.description}`) ?? [])
          events.cut(gone, `limits or somebody removed them from stream ${topic.stream}`)
      }
      return trim(ask, topic, stream, consumers)
    },
    async readDeadLetters(name, page) {
      const { ask, streams } = opened!
      return readLetters(ask, streams.side(name, 'dead'), page)
    },
    async removeDeadLetters(name, ids) {
      const { ask, streams } = opened!
      await removeLetters(ask, streams.side(name, 'dead'), ids)
    },
    async close() {
      await opened?.link.close()
    },
  }
}
