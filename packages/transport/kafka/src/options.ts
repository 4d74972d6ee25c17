import {
  type Clock,
  checkFunction,
  checkKnown,
  guardedLogger,
  invalidOption,
  type Logger,
  silentLogger,
  systemClock,
  wholeNumber,
} from '@evt/core'
import type { KafkaClient } from './client.ts'
import { type KafkajsClientOptions, kafkajsClient } from './kafkajs/kafkajs-client.ts'

export interface KafkaTransportOptions extends Partial<Omit<KafkajsClientOptions, 'clock'>> {
  /** Another client than kafkajs, in place of `brokers` and what belongs to it. */
  readonly client?: KafkaClient | undefined
  /** What topics and groups begin with on the server: letters, digits, dots and dashes, at most 40. Default none. */
  readonly prefix?: string | undefined
  /** Partitions of topics that are declared without a number. Default 6. */
  readonly partitions?: number | undefined
  /** Copies of topics that are created. Default the broker's. */
  readonly replicationFactor?: number | undefined
  /** How long created topics keep messages, in ms, read or not. Default: unread ones for ever, others until trimmed. */
  readonly retentionMs?: number | undefined
  /** What is done where a topic is gone: make it again, or fail. Default `recreate`. */
  readonly onMissing?: 'recreate' | 'fail' | undefined
  /** Bytes of a payload; topics are created for it. Default 1,000,000. */
  readonly maxMessageBytes?: number | undefined
  /** How long a group waits for a member that went silent, in ms, from 6,000. Default 10,000. */
  readonly sessionMs?: number | undefined
  /** How long running handlers have when a group changes, in ms. Default 30,000. */
  readonly drainMs?: number | undefined
  /** Delayed retries that a consumer keeps in memory until they are due. Default 10,000. */
  readonly maxDelayed?: number | undefined
  readonly clock?: Clock | undefined
  /** Default silent. */
  readonly logger?: Logger | undefined
}

export interface Settings {
  readonly client: KafkaClient
  readonly prefix: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly retentionMs: number | undefined
  readonly recreates: boolean
  readonly maxMessageBytes: number
  readonly sessionMs: number
  readonly drainMs: number
  readonly maxDelayed: number
  readonly clock: Clock
  readonly logger: Logger
}

const ofKafkajs = ['brokers', 'ssl', 'sasl', 'clientId', 'connectTimeoutMs', 'requestTimeoutMs'] as const
const known = [
  ...ofKafkajs,
  'client',
  'prefix',
  'partitions',
  'replicationFactor',
  'retentionMs',
  'onMissing',
  'maxMessageBytes',
  'sessionMs',
  'drainMs',
  'maxDelayed',
  'clock',
  'logger',
]
const maxMs = 2_147_483_647

export function readOptions(options: KafkaTransportOptions): Settings {
  checkKnown('kafkaTransport', options, known)
  const { prefix = '', retentionMs, onMissing = 'recreate', clock = systemClock } = options
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9.-]{0,40}$/.test(prefix)) {
    throw invalidOption('prefix', 'expected letters, digits, "." and "-", at most 40')
  }
  if (onMissing !== 'recreate' && onMissing !== 'fail')
    throw invalidOption('onMissing', "expected 'recreate' or 'fail'")
  return {
    client: readClient(options, clock),
    prefix,
    partitions: wholeNumber('partitions', options.partitions, { min: 1, max: 10_000, default: 6 }),
    replicationFactor: wholeNumber('replicationFactor', options.replicationFactor, { min: 1, max: 100, default: -1 }),
    retentionMs:
      retentionMs === undefined ? undefined : wholeNumber('retentionMs', retentionMs, { min: 1_000, default: 0 }),
    recreates: onMissing === 'recreate',
    maxMessageBytes: wholeNumber('maxMessageBytes', options.maxMessageBytes, {
      min: 1_024,
      max: 64 * 1_024 * 1_024,
      default: 1_000_000,
    }),
    sessionMs: wholeNumber('sessionMs', options.sessionMs, { min: 6_000, max: 1_800_000, default: 10_000 }),
    drainMs: wholeNumber('drainMs', options.drainMs, { min: 0, max: maxMs - 60_000, default: 30_000 }),
    maxDelayed: wholeNumber('maxDelayed', options.maxDelayed, { min: 1, default: 10_000 }),
    clock,
    logger: guardedLogger(options.logger ?? silentLogger),
  }
}

function readClient(options: KafkaTransportOptions, clock: Clock): KafkaClient {
  const { client } = options
  const given = Object.fromEntries(
    ofKafkajs.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  )
  if (client === undefined) return kafkajsClient({ brokers: [], ...given, clock })
  checkFunction('client.connect', client?.connect)
  checkFunction('client.join', client.join)
  const [extra] = Object.keys(given)
  if (extra !== undefined) throw invalidOption(extra, 'the client given has its own')
  return client
}
