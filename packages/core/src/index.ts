export { type Clock, systemClock, type Timer } from './clock.ts'
export { type Codec, jsonCodec } from './codec.ts'
export { type ContextKey, contextKey } from './context-key.ts'
export { crashPoint } from './crash-point.ts'
export type { DeadLetterEntry, DeadLetters } from './dead-letters.ts'
export { type EvtError, type EvtErrorCode, type EvtErrors, evtError, isEvtError } from './errors.ts'
export { consoleLogger, type Logger, silentLogger } from './logger.ts'
export { checkName, encodeTopic } from './names.ts'
export { checkFunction, checkKnown, invalidOption, wholeNumber } from './options.ts'
export type { Outbox, PartHealth, RelayTarget, StoredMessage, Transactions } from './outbox.ts'
export {
  type SchemaInput,
  type SchemaIssue,
  type SchemaOutput,
  type StandardSchemaV1,
  type,
} from './standard-schema.ts'
export type {
  Consumer,
  ConsumerEvents,
  ConsumerState,
  ConsumeSpec,
  ErrorRecord,
  Headers,
  OrderScope,
  Outgoing,
  PublishFailure,
  Refusal,
  Room,
  Settlement,
  StartAt,
  Topic,
  Transport,
  TransportDelivery,
  TransportSupport,
  TrimReport,
} from './transport.ts'
export { uuidv7 } from './uuid.ts'
