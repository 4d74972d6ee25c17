import { type Clock, checkKnown, invalidOption, systemClock, wholeNumber } from '@evt/core'
import type { NatsClient, NatsConnectionSource } from './client.ts'
import { checkSubject } from './names.ts'

/** What both transports of this package take. */
export interface NatsConnectionOptions {
  /** A `NatsConnection` of `nats`, which its creator closes, or a function that makes one, which the last bus over the transport closes. */
  readonly connection: NatsConnectionSource
  /** What subjects (and streams) begin with. Default nothing for NATS core, `js` for JetStream. */
  readonly prefix?: string | undefined
  /** Where answers are sent; an account may allow another than the default `_INBOX`. */
  readonly inboxPrefix?: string | undefined
  /** How long an answer of the server may take, in ms; then its fate is unknown and the connection is tried. Default 5,000. */
  readonly answerTimeoutMs?: number | undefined
  readonly clock?: Clock | undefined
}
export interface NatsTransportOptions extends NatsConnectionOptions {
  /** Messages a subscription holds that its handlers have not taken; what comes when it is full is dropped and reported. Default 1,000. */
  readonly maxMessages?: number | undefined
  /** The same in bytes. Default 8 MiB. */
  readonly maxBytes?: number | undefined
}

export interface ConnectionSettings {
  readonly connection: NatsConnectionSource
  readonly prefix: string
  readonly inboxPrefix: string
  readonly answerTimeoutMs: number
  readonly clock: Clock
}
export interface NatsSettings extends ConnectionSettings {
  readonly maxMessages: number
  readonly maxBytes: number
}

export const knownConnection: readonly string[] = ['connection', 'prefix', 'inboxPrefix', 'answerTimeoutMs', 'clock']

const methods = ['publish', 'subscribe', 'flush', 'status', 'reconnect'] as const

/** Whether it has what is used of a `NatsConnection`; what `connect` returns is only the promise of one. */
export function isConnection(value: NatsClient | undefined): value is NatsClient {
  return methods.every((method) => typeof value?.[method] === 'function')
}

export function readConnection(options: NatsConnectionOptions, defaultPrefix: string): ConnectionSettings {
  const { connection, inboxPrefix } = options
  if (typeof connection !== 'function' && !isConnection(connection))
    throw invalidOption('connection', 'expected a NatsConnection or a function that makes one')
  const prefix = options.prefix ?? defaultPrefix
  return {
    connection,
    prefix: prefix === '' ? '' : `${checkSubject('prefix', prefix)}.`,
    inboxPrefix: checkSubject('inboxPrefix', inboxPrefix ?? '_INBOX'),
    answerTimeoutMs: wholeNumber('answerTimeoutMs', options.answerTimeoutMs, { min: 100, max: 60_000, default: 5_000 }),
    clock: options.clock ?? systemClock,
  }
}

export function readNatsOptions(options: NatsTransportOptions): NatsSettings {
  checkKnown('natsTransport', options, [...knownConnection, 'maxMessages', 'maxBytes'])
  return {
    ...readConnection(options, ''),
    maxMessages: wholeNumber('maxMessages', options.maxMessages, { min: 1, default: 1_000 }),
    maxBytes: wholeNumber('maxBytes', options.maxBytes, { min: 1, default: 8 * 1_024 * 1_024 }),
  }
}
