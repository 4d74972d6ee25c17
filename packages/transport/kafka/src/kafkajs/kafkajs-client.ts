import { type Clock, checkKnown, invalidOption, systemClock, wholeNumber } from '@evt/core'
import type { KafkaConfig } from 'kafkajs'
import type { KafkaClient } from '../client.ts'
import { type Kafkajs, loadKafkajs, openCluster } from './cluster.ts'
import { kafkajsConnection } from './connection.ts'
import { kafkajsMember } from './member.ts'

export interface KafkajsClientOptions {
  /** `host:port` of some brokers of the cluster. */
  readonly brokers: readonly string[]
  /** As kafkajs takes it. Default none. */
  readonly ssl?: KafkaConfig['ssl'] | undefined
  /** As kafkajs takes it. Default none. */
  readonly sasl?: KafkaConfig['sasl'] | undefined
  /** Default `evt`. */
  readonly clientId?: string | undefined
  /** How long a connection may take, in ms. Default 2,000. */
  readonly connectTimeoutMs?: number | undefined
  /** How long a broker may take to answer, in ms. Default 10,000. */
  readonly requestTimeoutMs?: number | undefined
  readonly clock?: Clock | undefined
}

// Without a port kafkajs looks for port NaN.
const isAddress = /^[^\s/]+:\d{1,5}$/
const known = ['brokers', 'ssl', 'sasl', 'clientId', 'connectTimeoutMs', 'requestTimeoutMs', 'clock']

/** A client on kafkajs 2.2, loaded at its first use: its connections and requests, not its producer and consumer. */
export function kafkajsClient(options: KafkajsClientOptions): KafkaClient {
  checkKnown('kafkajsClient', options, known)
  const { brokers, ssl, sasl, clientId = 'evt', clock = systemClock } = options
  if (!Array.isArray(brokers) || brokers.length === 0 || !brokers.every((broker) => isAddress.test(broker))) {
    throw invalidOption('brokers', 'expected at least one "host:port", without a protocol')
  }
  const config: KafkaConfig = {
    brokers: [...brokers],
    clientId,
    connectionTimeout: wholeNumber('connectTimeoutMs', options.connectTimeoutMs, { min: 1, default: 2_000 }),
    requestTimeout: wholeNumber('requestTimeoutMs', options.requestTimeoutMs, { min: 1_000, default: 10_000 }),
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
  }
  let loading: Promise<Kafkajs> | undefined
  const load = () => {
    loading ??= loadKafkajs(config)
    return loading
  }
  return {
    connect: () => kafkajsConnection(async () => openCluster(await load()), clock),
    join: (memberOptions, events) =>
      kafkajsMember({
        open: async () => {
          const kafkajs = await load()
          return { cluster: await openCluster(kafkajs), encoders: kafkajs.encoders }
        },
        clock,
        options: memberOptions,
        events,
      }),
  }
}
