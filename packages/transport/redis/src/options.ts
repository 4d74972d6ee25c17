import {
  type Clock,
  checkKnown,
  guardedLogger,
  invalidOption,
  type Logger,
  silentLogger,
  systemClock,
  wholeNumber,
} from '@evt/core'
import type { RedisClient } from '@evt/redis'

export interface RedisTransportOptions {
  /** An ioredis client of version 5 or 6. Every reader duplicates it for a connection of its own; whoever creates it closes it. */
  readonly client: RedisClient
  /** What every key begins with. Default `evt`. */
  readonly prefix?: string | undefined
  /** What a reader does where its group or stream is gone: make it again from the earliest message, or fail. Default `recreate`. */
  readonly onMissing?: 'recreate' | 'fail' | undefined
  /** Messages a stream keeps, read or not; of a topic with partitions each has its own stream. Default none: unread ones are kept. */
  readonly maxLength?: number | undefined
  /** Age in ms at which messages go, read or not. Default none. */
  readonly maxAgeMs?: number | undefined
  /** Groups of ephemeral readers that nobody has read as for so long are removed, in ms. Default 3,600,000. */
  readonly reapAfterMs?: number | undefined
  /** Bytes of payload a message may have. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined
  readonly clock?: Clock | undefined
  /** Default silent. */
  readonly logger?: Logger | undefined
}
export interface CheckedOptions {
  readonly client: RedisClient
  readonly prefix: string
  readonly onMissing: 'recreate' | 'fail'
  /** 0: no limit. */
  readonly maxLength: number
  readonly maxAgeMs: number
  readonly reapAfterMs: number
  readonly maxMessageBytes: number
  readonly clock: Clock
  readonly logger: Logger
}

const known = [
  'client',
  'prefix',
  'onMissing',
  'maxLength',
  'maxAgeMs',
  'reapAfterMs',
  'maxMessageBytes',
  'clock',
  'logger',
]

export function checkOptions(options: RedisTransportOptions): CheckedOptions {
  checkKnown('redisTransport', options, known)
  const { client, prefix = 'evt', onMissing = 'recreate', clock = systemClock, logger = silentLogger } = options
  if (typeof client?.duplicate !== 'function' || typeof client.callBuffer !== 'function')
    throw invalidOption('client', 'expected an ioredis client')
  if (typeof prefix !== 'string' || !/^[^{}]{1,100}$/.test(prefix))
    throw invalidOption('prefix', 'expected 1 to 100 characters without braces')
  if (onMissing !== 'recreate' && onMissing !== 'fail')
    throw invalidOption('onMissing', "expected 'recreate' or 'fail'")
  return {
    client,
    prefix,
    onMissing,
    maxLength: limit('maxLength', options.maxLength),
    maxAgeMs: limit('maxAgeMs', options.maxAgeMs),
    reapAfterMs: wholeNumber('reapAfterMs', options.reapAfterMs, { min: 1_000, default: 3_600_000 }),
    maxMessageBytes: wholeNumber('maxMessageBytes', options.maxMessageBytes, {
      min: 1,
      max: 256 * 1_024 * 1_024,
      default: 16 * 1_024 * 1_024,
    }),
    clock,
    logger: guardedLogger(logger),
  }
}

function limit(option: string, value: unknown): number {
  return value === undefined ? 0 : wholeNumber(option, value, { min: 1, default: 0 })
}
