import { type ConsumeSpec, invalidOption, type StartAt } from '@evt/core'
import { differs, missing } from './errors.ts'
import { type Ask, type ConsumerConfig, type ConsumerInfo, nanosPerMs } from './js-api.ts'
import { token } from './names.ts'
import type { KnownTopic } from './streams.ts'

/** A consumer of JetStream: one for a plain topic, one for each partition. */
export interface Durable {
  readonly name: string
  readonly config: ConsumerConfig
}
const compared = [
  'ack_policy',
  'ack_wait',
  'backoff',
  'deliver_subject',
  'filter_subject',
  'filter_subjects',
  'headers_only',
  'inactive_threshold',
  'max_ack_pending',
  'max_deliver',
] as const

export function durablesOf(topic: KnownTopic, spec: ConsumeSpec, reapAfterMs: number): readonly Durable[] {
  const ephemeral = 'reader' in spec.as && spec.as.reader === 'ephemeral'
  const kind = 'group' in spec.as ? 'group' : 'reader'
  return topic.subjects.map((subject, partition) => {
    const name = token(topic.partitions === undefined ? kind : `${kind}${partition}`, spec.consumer)
    const config: ConsumerConfig = {
      ...(ephemeral ? { name, inactive_threshold: reapAfterMs * nanosPerMs } : { durable_name: name }),
      // Whose it is, for whoever lists them: names on the server are encoded.
      description: spec.consumer,
      ...startOf(spec.from),
      ack_policy: 'explicit',
      ack_wait: spec.leaseMs * nanosPerMs,
      max_deliver: -1,
      // In a partition one message at a time is the order; elsewhere the pull is the limit, for delayed ones count too.
      max_ack_pending: topic.partitions === undefined ? -1 : 1,
      filter_subject: subject,
    }
    return { name, config }
  })
}

/** Finds and verifies, or creates. Answers how it is; nothing that exists is changed. */
export async function ensureDurable(ask: Ask, stream: string, durable: Durable): Promise<ConsumerInfo> {
  const existing = await durableInfo(ask, stream, durable.name)
  return verify(stream, durable, existing ?? (await createDurable(ask, stream, durable)))
}
export function durableInfo(ask: Ask, stream: string, name: string): Promise<ConsumerInfo | undefined> {
  return ask<ConsumerInfo>(`Looking at consumer ${name}`, `CONSUMER.INFO.${stream}.${name}`, {})
}
async function createDurable(ask: Ask, stream: string, { name, config }: Durable): Promise<ConsumerInfo> {
  const verb = config.durable_name === undefined ? 'CONSUMER.CREATE' : 'CONSUMER.DURABLE.CREATE'
  try {
    const body = { stream_name: stream, action: 'create', config }
    const created = await ask<ConsumerInfo>(`Creating consumer ${name}`, `${verb}.${stream}.${name}`, body)
    if (created !== undefined) return created
  } catch (error) {
    const found = await durableInfo(ask, stream, name)
    if (found === undefined) throw error
    return found
  }
  throw missing(`Stream ${stream}`)
}
function verify(stream: string, { name, config }: Durable, info: ConsumerInfo): ConsumerInfo {
  for (const field of compared) {
    if (info.config[field] !== config[field])
      throw differs(`Consumer ${name} of stream ${stream}`, field, config[field], info.config[field])
  }
  return info
}

/** The same consumer from a sequence on: what was before it is acknowledged. */
export function startingAt({ name, config }: Durable, sequence: number): Durable {
  const { opt_start_time: _time, opt_start_seq: _sequence, ...rest } = config
  return { name, config: { ...rest, deliver_policy: 'by_start_sequence', opt_start_seq: Math.max(1, sequence) } }
}

function startOf(from: StartAt): Pick<ConsumerConfig, 'deliver_policy' | 'opt_start_seq' | 'opt_start_time'> {
  if (from === 'earliest') return { deliver_policy: 'all' }
  if (from === 'latest') return { deliver_policy: 'new' }
  if (from instanceof Date) return { deliver_policy: 'by_start_time', opt_start_time: from.toISOString() }
  if (!/^\d{1,15}$/.test(from.position))
    throw invalidOption('startAt', 'expected the position of a message of this topic')
  return { deliver_policy: 'by_start_sequence', opt_start_seq: Number(from.position) + 1 }
}
