import { checkKnown, invalidOption, wholeNumber } from '@evt/core'
import { checkSubject } from './names.ts'
import { type ConnectionSettings, knownConnection, type NatsConnectionOptions, readConnection } from './nats-options.ts'

export interface JetstreamTransportOptions extends NatsConnectionOptions {
  /** An existing stream that keeps all topics of this transport, for its owner's limits to hold; it is never changed or trimmed. Default a stream per topic. */
  readonly stream?: string | undefined
  /** Copies of each stream and message. Default 1. */
  readonly replicas?: number | undefined
  /** How long a message id is remembered, in ms: a second message with it is accepted and dropped. Default 120,000. */
  readonly duplicateWindowMs?: number | undefined
  /** An ephemeral reader that does not read for so long is removed by the server, in ms. Default 60,000. */
  readonly reapAfterMs?: number | undefined
  /** What happens when a stream or consumer is gone: made again and reported, or an error. Default `recreate`. */
  readonly onMissing?: 'recreate' | 'fail' | undefined
}
export interface JetstreamSettings extends ConnectionSettings {
  readonly stream: string | undefined
  readonly replicas: number
  readonly duplicateWindowMs: number
  readonly reapAfterMs: number
  readonly recreates: boolean
}

const known = [...knownConnection, 'stream', 'replicas', 'duplicateWindowMs', 'reapAfterMs', 'onMissing']

export function readJetstreamOptions(options: JetstreamTransportOptions): JetstreamSettings {
  checkKnown('jetstreamTransport', options, known)
  const { stream, onMissing = 'recreate' } = options
  if (onMissing !== 'recreate' && onMissing !== 'fail')
    throw invalidOption('onMissing', "expected 'recreate' or 'fail'")
  if (stream !== undefined && checkSubject('stream', stream).includes('.'))
    throw invalidOption('stream', 'a stream has no dots')
  return {
    ...readConnection(options, 'js'),
    stream,
    replicas: wholeNumber('replicas', options.replicas, { min: 1, max: 5, default: 1 }),
    duplicateWindowMs: wholeNumber('duplicateWindowMs', options.duplicateWindowMs, { min: 100, default: 120_000 }),
    reapAfterMs: wholeNumber('reapAfterMs', options.reapAfterMs, { min: 1_000, default: 60_000 }),
    recreates: onMissing === 'recreate',
  }
}
