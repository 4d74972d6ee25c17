export type {
  NatsClient,
  NatsConnectionSource,
  NatsHeaders,
  NatsMessage,
  NatsPublishOptions,
  NatsServerInfo,
  NatsStatus,
  NatsSubscribeOptions,
  NatsSubscription,
} from './client.ts'
export { jetstreamTransport } from './jetstream-transport.ts'
export type { JetstreamTransportOptions } from './js-options.ts'
export type { NatsConnectionOptions, NatsTransportOptions } from './nats-options.ts'
export { natsTransport } from './nats-transport.ts'
