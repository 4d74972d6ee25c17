export { type BridgeOptions, bridge } from './bridge.ts'
export type {
  Bus,
  BusDescription,
  BusOptions,
  CloseOptions,
  RegisterOptions,
  RoutedOptions,
  RunOptions,
  SingleTransportOptions,
} from './bus/bus.ts'
export { createBus } from './bus/create-bus.ts'
export type { Health } from './bus/health.ts'
export type { Route } from './bus/router.ts'
export { type Clock, systemClock, type Timer } from './clock.ts'
export { type Codec, jsonCodec } from './codec.ts'
export { type Circuit, type CircuitOptions, circuitBreaker } from './consumer/circuit.ts'
export type { Subscription } from './consumer/running-subscription.ts'
export type { Setting, SubscribeDefaults } from './consumer/settings.ts'
export type { SubscriptionStats } from './consumer/stats.ts'
export { type ContextKey, contextKey } from './context-key.ts'
export { crashPoint } from './crash-point.ts'
export type { DeadLetterEntry, DeadLetters } from './dead-letters.ts'
export type { Delivery, IncomingDelivery } from './delivery.ts'
export { discard } from './discard.ts'
export { headersText, payloadBytes, payloadText } from './encoded-message.ts'
export { checkMetadata, type Envelope, readEnvelope, readMetadata, writeHeaders } from './envelope.ts'
export { readErrorHistory } from './error-history.ts'
export { type EvtError, type EvtErrorCode, type EvtErrors, evtError, isEvtError } from './errors.ts'
export {
  type AnyEvent,
  type Defined,
  defineEvent,
  defineEvents,
  type EventDefinition,
  type EventGroup,
  type EventName,
  type EventOptions,
  type InputOf,
  type ParsedEventDefinition,
  type PayloadOf,
} from './event.ts'
export { headerTable, withoutPrototype } from './header-table.ts'
export { consoleLogger, guardedLogger, type Logger, silentLogger } from './logger.ts'
export {
  type MemoryTransport,
  type MemoryTransportOptions,
  memoryTransport,
} from './memory/memory-transport.ts'
export type { Message, MessageOptions } from './message.ts'
export type { Middleware, OutgoingDraft, Slot } from './middleware.ts'
export { checkName, encodeTopic } from './names.ts'
export { checkFunction, checkKnown, invalidOption, wholeNumber } from './options.ts'
export type { Outbox, PartHealth, RelayTarget, StoredMessage, Transactions } from './outbox.ts'
export { acknowledge, type Outcome, type RetryOptions, reject, retry } from './outcome.ts'
export { partitionOf } from './partition.ts'
export type { Published, PublishOptions } from './publish-options.ts'
export { type PushSource, type PushSourceOptions, pushSource } from './push-source.ts'
export { type Backoff, type RetryDecision, type RetryPolicy, retryDecision } from './retry-policy.ts'
export { Roster, type Rostered } from './roster.ts'
export {
  type SchemaInput,
  type SchemaIssue,
  type SchemaOutput,
  type StandardSchemaV1,
  type,
} from './standard-schema.ts'
export { StoredText } from './stored-text.ts'
export {
  type Batch,
  type BatchHandler,
  type BatchResult,
  type DeliveryOf,
  type Handler,
  type HandlerResult,
  on,
  onAny,
  onBatch,
  onEach,
  onEverything,
  type SubscriptionDefinition,
} from './subscription.ts'
export type {
  BatchOptions,
  BatchSubscribeOptions,
  BroadcastOptions,
  CommonSubscribeOptions,
  SubscribeOptions,
  WorkerOptions,
} from './subscription-options.ts'
export type {
  Consumer,
  ConsumerEvents,
  ConsumerState,
  ConsumeSpec,
  DeadLetterPage,
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
  TransportDeadLetter,
  TransportDelivery,
  TransportSupport,
  TrimReport,
} from './transport.ts'
export { type Upcaster, upcast } from './upcast.ts'
export { uuidv7 } from './uuid.ts'
export { within } from './within.ts'
