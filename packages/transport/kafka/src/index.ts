export type {
  Committed,
  Fetched,
  KafkaClient,
  KafkaConnection,
  KafkaHeaders,
  KafkaMember,
  KafkaRecord,
  MemberEvents,
  MemberOptions,
  NewRecord,
  NewTopic,
  PartitionBatch,
  ProduceFailure,
  Session,
} from './client.ts'
export { kafkaTransport } from './kafka-transport.ts'
export { type KafkajsClientOptions, kafkajsClient } from './kafkajs/kafkajs-client.ts'
export type { KafkaTransportOptions } from './options.ts'
