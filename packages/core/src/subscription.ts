import { checkSubscription } from './check-subscription.ts'
import type { Delivery } from './delivery.ts'
import { evtError } from './errors.ts'
import type { AnyEvent, EventGroup, ParsedEventDefinition, PayloadOf } from './event.ts'
import type { Logger } from './logger.ts'
import type { Message } from './message.ts'
import { checkFunction, checkKnown, invalidOption } from './options.ts'
import type { BatchSubscribeOptions, SubscribeOptions } from './subscription-options.ts'

/** Messages to publish before the acknowledgement, or nothing. */
export type HandlerResult = Message | readonly Message[] | void
export type Handler<Name extends string = string, Payload = unknown> = (
  payload: Payload,
  delivery: Delivery<Name, Payload>,
) => HandlerResult | Promise<HandlerResult>

/** Nothing when all succeeded, or one settled result per item, in order, as `Promise.allSettled` makes them. */
export type BatchResult = readonly PromiseSettledResult<unknown>[] | void
export interface Batch<Name extends string = string, Payload = unknown> {
  readonly deliveries: readonly Delivery<Name, Payload>[]
  readonly signal: AbortSignal
  readonly logger: Logger
}
export type BatchHandler<Name extends string = string, Payload = unknown> = (
  payloads: readonly Payload[],
  batch: Batch<Name, Payload>,
) => BatchResult | Promise<BatchResult>

export type DeliveryOf<E extends AnyEvent> =
  E extends ParsedEventDefinition<infer Name, infer Payload, infer _> ? Delivery<Name, Payload> : never

/** Events, a handler and its options as a value; nothing runs until a bus subscribes it. */
export interface SubscriptionDefinition {
  readonly events: readonly AnyEvent[] | 'everything'
  readonly options: SubscribeOptions
  /** What the bus needs and nobody else. */
  readonly '~subscription':
    | { readonly kind: 'each'; readonly handler: Handler; readonly forwardTo?: string | undefined }
    | { readonly kind: 'batch'; readonly handler: BatchHandler; readonly forwardTo?: undefined }
}

/** Handles the messages of one event, one at a time. */
export function on<E extends AnyEvent>(
  event: E,
  handler: Handler<E['name'], PayloadOf<E>>,
  options: SubscribeOptions,
): SubscriptionDefinition {
  return define([event], 'each', handler as Handler, options)
}

/** Handles the messages of one event in batches. */
export function onBatch<E extends AnyEvent>(
  event: E,
  handler: BatchHandler<E['name'], PayloadOf<E>>,
  options: BatchSubscribeOptions,
): SubscriptionDefinition {
  return define([event], 'batch', handler as BatchHandler, options)
}

/** One handler for several events; `delivery.type` tells which. */
export function onAny<Group extends EventGroup>(
  events: Group,
  handler: (delivery: DeliveryOf<Group[keyof Group]>) => HandlerResult | Promise<HandlerResult>,
  options: SubscribeOptions,
): SubscriptionDefinition {
  checkFunction('handler', handler)
  checkGroup(events)
  const any: Handler = (_payload, delivery) => handler(delivery as DeliveryOf<Group[keyof Group]>)
  return define(Object.values(events), 'each', any, options)
}

/** One subscription over several events with a handler for each; leaving one out is an error. */
export function onEach<Group extends EventGroup>(
  events: Group,
  handlers: { readonly [Name in keyof Group]: Handler<Group[Name]['name'], PayloadOf<Group[Name]>> },
  options: SubscribeOptions,
): SubscriptionDefinition {
  checkGroup(events)
  checkKnown('onEach', handlers, Object.keys(events))
  const byType = new Map<string, Handler>()
  for (const [name, event] of Object.entries(events)) {
    checkFunction(`handlers.${name}`, handlers[name])
    byType.set(event.name, handlers[name] as Handler)
  }
  const each: Handler = (payload, delivery) => byType.get(delivery.type)!(payload, delivery)
  return define(Object.values(events), 'each', each, options)
}

/** All events registered on the bus when it is subscribed: audit and forwarding. */
export function onEverything(
  handler: (delivery: Delivery) => void | Promise<void>,
  options: SubscribeOptions,
): SubscriptionDefinition {
  checkFunction('handler', handler)
  const every: Handler = (_payload, delivery) => handler(delivery)
  return define('everything', 'each', every, options)
}

/** Events given alone, as a list or as a group: at least one, or `EVT_OPTION_INVALID`. */
export function listEvents(given: AnyEvent | readonly AnyEvent[] | EventGroup): readonly AnyEvent[] {
  if (typeof given !== 'object' || given === null) throw invalidOption('events', 'expected what defineEvent returns')
  const list: readonly AnyEvent[] = '~event' in given ? [given as AnyEvent] : Object.values(given)
  if (list.length === 0) throw invalidOption('events', 'expected at least one event')
  for (const event of list) checkEvent(event)
  return list
}
function checkGroup(events: EventGroup): void {
  if (typeof events !== 'object' || events === null) throw invalidOption('events', 'expected an object of events')
  for (const event of Object.values(events)) checkEvent(event)
}
function checkEvent(event: AnyEvent): void {
  if (event?.['~event'] === undefined) throw invalidOption('events', 'expected what defineEvent returns')
}

function define(
  events: readonly AnyEvent[] | 'everything',
  kind: 'each' | 'batch',
  handler: Handler | BatchHandler,
  options: SubscribeOptions | undefined,
): SubscriptionDefinition {
  checkFunction('handler', handler)
  if (events !== 'everything') {
    if (events.length === 0) throw invalidOption('events', 'expected at least one event')
    for (const event of events) checkEvent(event)
  }
  const names = events === 'everything' ? ['everything'] : events.map((event) => event.name)
  if (options !== undefined) checkSubscription(`The subscription to ${names.join(', ')}`, options, kind === 'batch')
  if (options?.mode === undefined && options?.group === undefined) {
    const message = `The subscription to ${names.join(', ')} must say how it shares: group: '...', mode: 'worker' or mode: 'broadcast'`
    throw evtError('EVT_SUBSCRIPTION_MODE', message, { events: names })
  }
  return { events, options, '~subscription': { kind, handler } as SubscriptionDefinition['~subscription'] }
}
