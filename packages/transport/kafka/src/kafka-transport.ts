import { isEvtError, partitionOf, type Transport } from '@evt/core'
import type { NewRecord, PartitionBatch } from './client.ts'
import { type ConsumerParts, kafkaConsumer } from './consumer.ts'
import { readLetters, removals } from './dead-letters.ts'
import { unavailable } from './errors.ts'
import { own, ownHeader } from './headers.ts'
import { kafkaNames } from './names.ts'
import { type KafkaTransportOptions, readOptions } from './options.ts'
import { inspect, type PlacesParts, trim } from './places.ts'
import { publishBatch, stickySpread } from './publish.ts'
import { kafkaSupport } from './support.ts'
import { batchHeadroomBytes } from './topic-limits.ts'
import { kafkaTopics } from './topics.ts'

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
  const retriesConfig = { 'retention.ms': '-1' }
  const lettersConfig = { 'cleanup.policy': 'compact', 'retention.ms': '-1' }
  const append: ConsumerParts['append'] = async (serverTopic, kind, records) => {
    const wanted = kind === 'letters' ? 1 : settings.partitions
    const partitions = await topics.ensure(serverTopic, wanted, kind === 'letters' ? lettersConfig : retriesConfig)
    const batches = new Map<number, { topic: string; partition: number; records: NewRecord[] }>()
    for (const record of records) {
      const place = kind === 'letters' ? 0 : partitionOf(ownHeader(record.headers, own.position) ?? '', partitions)
      const batch = batches.get(place) ?? { topic: serverTopic, partition: place, records: [] }
      batches.set(place, batch)
      batch.records.push(record)
    }
    const maxBytes = maxMessageBytes + batchHeadroomBytes
    const refused: NewRecord[] = []
    for (const batch of batches.values()) {
      for (const part of bounded(batch, maxBytes)) {
        let [failure] = await inTurn(() => producing.produce([part]))
        // Where it came from it may have been packed by its publisher.
        if (failure?.outcome === 'refused')
          [failure] = await inTurn(() => producing.produce([{ ...part, isPacked: true }]))
        if (failure === undefined) continue
        // It may have been removed: the next attempt looks.
        topics.forget(serverTopic)
        if (failure.outcome === 'refused') {
          refused.push(...part.records)
          settings.logger.warn({ topic: serverTopic, err: failure.error }, 'the broker refuses what is to be kept here')
        } else throw unavailable(`Writing to ${serverTopic}`, failure.error)
      }
    }
    return refused
  }
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
          else await topics.recreate(serverTopic, settings.partitions, retriesConfig)
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

function bounded(batch: PartitionBatch, maxBytes: number): PartitionBatch[] {
  const parts: PartitionBatch[] = []
  let records: NewRecord[] = []
  let bytes = 0
  for (const record of batch.records) {
    const size = (record.value?.byteLength ?? 0) + 32_000
    if (records.length > 0 && bytes + size > maxBytes) {
      parts.push({ ...batch, records })
      records = []
      bytes = 0
    }
    records.push(record)
    bytes += size
  }
  parts.push({ ...batch, records })
  return parts
}
