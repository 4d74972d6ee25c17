import { evtError, type PublishFailure, type Transport, type TransportSupport } from '@evt/core'
import { messageEncoder } from './encode-message.ts'
import { type Link, openLink } from './link.ts'
import { checkSubject } from './names.ts'
import { natsConsumer } from './nats-consumer.ts'
import { type NatsTransportOptions, readNatsOptions } from './nats-options.ts'

/** Events over NATS core: live, at most once, nothing kept anywhere. Throws for options that cannot be honoured. */
export function natsTransport(options: NatsTransportOptions): Transport {
  const settings = readNatsOptions(options)
  const { prefix, maxMessages, maxBytes, clock } = settings
  const encode = messageEncoder()
  let supports = natsSupport(1_024 * 1_024)
  let link: Link | undefined
  const subjectOf = (topic: string) => `${prefix}${checkSubject('topic', topic)}`
  const keepsNone = (option: string) => {
    const text = `The transport nats does not support ${option}: NATS core keeps nothing`
    return evtError('EVT_OPTION_UNSUPPORTED', text, { option, transport: 'nats' })
  }
  return {
    name: 'nats',
    get supports() {
      return supports
    },
    async open() {
      const opened = await openLink(settings)
      const { headers, version, max_payload } = opened.info
      if (headers !== true) {
        await opened.close()
        throw evtError('EVT_NATS_SERVER', `NATS ${version} carries no headers`, { version, needed: '2.2' })
      }
      link = opened
      supports = natsSupport(max_payload)
    },
    async declare({ name, partitions }) {
      subjectOf(name)
      if (partitions === undefined) return { name, partitions }
      const text = `NATS core has no partitions, so "${name}" cannot have ${partitions}`
      throw evtError('EVT_TRANSPORT_PARTITIONS', text, { topic: name, wanted: partitions, actual: undefined })
    },
    async publish(batch) {
      const { client, obstacle, confirm, onDenied } = link!
      const error = obstacle('Publishing')
      if (error !== undefined) return batch.map((_outgoing, index) => ({ index, outcome: 'unavailable', error }))
      const failures: PublishFailure[] = []
      const denied = new Map<string, Error>()
      const forget = onDenied((subject, why) => denied.set(subject, why))
      for (let index = 0; index < batch.length; index += 1) {
        const outgoing = batch[index]!
        try {
          const subject = subjectOf(outgoing.topic)
          client.publish(subject, outgoing.payload, { headers: encode(outgoing, {}, supports.maxMessageBytes) })
        } catch (error) {
          failures.push({ index, outcome: 'refused', error })
        }
      }
      try {
        if (failures.length < batch.length) await confirm('Publishing')
        // The client tells of a denial first, but through more promises than a confirmation takes.
        await new Promise<void>((resolve) => process.nextTick(resolve))
      } finally {
        forget()
      }
      if (denied.size === 0) return failures
      const unsent = new Set(failures.map(({ index }) => index))
      for (const [index, { topic }] of batch.entries()) {
        const why = unsent.has(index) ? undefined : denied.get(subjectOf(topic))
        if (why !== undefined) failures.push({ index, outcome: 'refused', error: why })
      }
      return failures
    },
    consume: (spec, events) =>
      natsConsumer({ link: link!, subject: subjectOf(spec.topic), spec, events, maxMessages, maxBytes, clock }),
    inspect: async () => [],
    trim: async () => ({ removed: 0, heldBackBy: null }),
    async readDeadLetters() {
      throw keepsNone('readDeadLetters')
    },
    async removeDeadLetters() {
      throw keepsNone('removeDeadLetters')
    },
    async close() {
      await link?.close()
    },
  }
}

function natsSupport(maxMessageBytes: number): TransportSupport {
  return {
    durability: 'none',
    groups: true,
    ordering: { plain: 'process', partitioned: 'none' },
    lease: 'none',
    fencing: 'none',
    delay: false,
    attempts: 'memory',
    release: 'lost',
    starts: ['latest'],
    deadLetters: 'none',
    targeted: false,
    lag: 'none',
    dedupeWindowMs: 0,
    retention: 'none',
    publishOrder: 'prefix',
    confirms: 'accepted',
    maxMessageBytes,
    byReference: false,
    readOverrun: 0,
  }
}
