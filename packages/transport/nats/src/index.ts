export type {
  NatsClient,
  NatsConnectionSource,
  NatsHeaders,
  NatsMessage,
  NatsPublishOptions,
  NatsServerInfo,
  NatsSubscribeOptions,
  NatsSubscription,
} from './client.ts'
export type { NatsConnectionOptions, NatsTransportOptions } from './nats-options.ts'
export { natsTransport } from './nats-transport.ts'
