import { isEvtError, type Transport } from '@evt/core'
import { createAppend, type OwnTopic } from './append.ts'
import { kafkaConsumer } from './consumer.ts'
import { readLetters, removals } from './dead-letters.ts'
import { unavailable } from './errors.ts'
import { kafkaNames } from './names.ts'
import { type KafkaTransportOptions, readOptions } from './options.ts'
import { inspect, type PlacesParts, trim } from './places.ts'
import { publishBatch, stickySpread } from './publish.ts'
import { kafkaSupport } from './support.ts'
import { batchHeadroomBytes } from './topic-limits.ts'
import { kafkaTopics } from './topics.ts'

const ownConfigs: Readonly<Record<OwnTopic, Readonly<Record<string, string>>>> = {
  retry: { 'retention.ms': '-1' },
  letters: { 'cleanup.policy': 'compact', 'retention.ms': '-1' },
}

/** Events over Kafka 2.4 or newer. Throws for options that cannot be honoured. */
export function kafkaTransport(options: KafkaTransportOptions): Transport {
  const settings = readOptions(options)
  const { client, prefix, maxMessageBytes, retentionMs, clock } = settings
  const names = kafkaNames(prefix)
  const supports = kafkaSupport(maxMessageBytes, retentionMs)
  const asking = client.connect()
  // Batches must not wait behind what an operator asks for.
  const producing = client.connect()
  const topics = kafkaTopics(asking, names, settings)
  const spread = stickySpread(Math.random)
  const places: PlacesParts = {
    connection: asking,
    names,
    strangers: new Map(),
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
  }

  // One send outstanding at a time, so that no answer can be lost while a later batch is accepted.
  let sending: Promise<unknown> = Promise.resolve()
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const turn = sending.then(work, work)
    sending = turn.catch(() => undefined)
    return turn
  }
  const append = createAppend({
    producing,
    logger: settings.logger,
    maxBytes: maxMessageBytes + batchHeadroomBytes,
    ensure: (serverTopic, kind) =>
      topics.ensure(serverTopic, kind === 'letters' ? 1 : settings.partitions, ownConfigs[kind]),
    forget: topics.forget,
    inTurn,
  })
  const asked = <Result>(operation: string, work: Promise<Result>): Promise<Result> =>
    work.catch((error: unknown) => {
      throw isEvtError(error) ? error : unavailable(operation, error)
    })

  return {
    name: 'kafka',
    supports,
    open: () => asked('Opening', asking.probe()),
    declare: (topic) => asked('Declaring', topics.declare(topic)),
    publish: (batch) =>
      inTurn(() => publishBatch({ connection: producing, names, topics, maxMessageBytes, spread }, batch)),
    async consume(spec, events) {
      const declaring = topics.declare({ name: spec.topic, partitions: undefined })
      const { partitions = 1 } = await asked('Consuming', declaring)
      return kafkaConsumer({
        client,
        connection: asking,
        names,
        settings,
        spec,
        events,
        partitions,
        append,
        async recreate(serverTopic) {
          const isMain = serverTopic === names.topic(spec.topic)
          if (isMain) await topics.recreate(serverTopic, partitions)
          else await topics.recreate(serverTopic, settings.partitions, ownConfigs.retry)
        },
      })
    },
    inspect: (topic) => asked('Inspecting', inspect(places, topic)),
    trim: (topic) => asked('Trimming', trim(places, topic)),
    async readDeadLetters(topic, page) {
      const letters = names.letters(topic)
      if ((await asked('Reading dead letters', asking.partitionsOf(letters))) === undefined) return []
      return asked('Reading dead letters', readLetters(asking, letters, page))
    },
    async removeDeadLetters(topic, ids) {
      const records = removals(ids)
      if (records.length === 0) return
      const refused = await append(names.letters(topic), 'letters', records)
      if (refused.length > 0) throw unavailable('Removing dead letters', new Error('the broker refuses it'))
    },
    async close() {
      await sending
      await Promise.all([asking.close(), producing.close()])
    },
  }
}
