import { fromJson } from '../codec.ts'
import type { Gate } from '../consumer/gate.ts'
import { type Identity, identify, startOf } from '../consumer/identity.ts'
import { createPipeline } from '../consumer/pipeline.ts'
import type { PipelineParts } from '../consumer/pipeline-parts.ts'
import { Pump } from '../consumer/pump.ts'
import { runningSubscription, type Subscription } from '../consumer/running-subscription.ts'
import { type ConsumerSettings, consumerSettings, explainSettings } from '../consumer/settings.ts'
import { Slots } from '../consumer/slots.ts'
import { emptyStats, type SubscriptionStats } from '../consumer/stats.ts'
import { gateOf } from '../consumer/subscription-gate.ts'
import { checkSupport } from '../consumer/support-check.ts'
import type { DeadLetters } from '../dead-letters.ts'
import { decodePayload, validate } from '../decode.ts'
import type { DeliveryScope, ReceivedDelivery } from '../delivery.ts'
import { receivedBytes } from '../encoded-message.ts'
import { evtError } from '../errors.ts'
import type { AnyEvent } from '../event.ts'
import type { Logger } from '../logger.ts'
import { invalidOption } from '../options.ts'
import { retry } from '../outcome.ts'
import type { RetryDecision } from '../retry-policy.ts'
import type { SubscriptionDefinition } from '../subscription.ts'
import type { BatchOptions, SubscribeOptions } from '../subscription-options.ts'
import type { ConsumerEvents, OrderScope } from '../transport.ts'
import type { BusContext } from './context.ts'
import { createDeadLetterer } from './dead-letterer.ts'
import { derivedId } from './encoder.ts'
import { forwarding } from './forwarding.ts'
import type { GroupList } from './group-list.ts'
import type { TransportPort } from './transport-port.ts'

const storeRetryMs = 1_000

/**
 * Starts a definition on a bus: every check that needs no I/O first, then every consumer, or none. From its first read until
 * it is closed it is among the subscriptions, so that a close never misses one.
 */
export async function startSubscription(
  bus: BusContext,
  groups: GroupList,
  subscriptions: Set<Subscription>,
  definition: SubscriptionDefinition,
): Promise<Subscription> {
  const options: SubscribeOptions & { readonly batch?: BatchOptions | undefined } = definition.options
  const work = definition['~subscription']
  if (definition.events !== 'everything') for (const event of definition.events) bus.events.add(event)
  const events = definition.events === 'everything' ? bus.events.all : definition.events
  const names = events.map((event) => event.name)
  if (names.length === 0)
    throw invalidOption('events', 'no event is registered on this bus yet, so nothing would arrive')
  // The name of a durable reader must not change with the number of events that happen to be registered.
  const one = definition.events === 'everything' || names.length > 1 ? 'everything' : names[0]!
  const identity = identify(bus.service, options, one)
  const parsed = consumerSettings(options, work.kind === 'batch', bus.defaults, bus.random, (error) =>
    bus.report(error, 'retry.classify'),
  )
  const settings = { ...parsed, retry: told(parsed.retry, identity.consumer, bus.logger) }
  const gate = gateOf(options, bus.clock)
  const stats = emptyStats()
  const slots = new Slots(settings.concurrency)
  const releaseGroups = groups.claim(identity.consumer, names, work.handler)
  const started: Pump[] = []
  try {
    bus.checkOpen()
    for (const event of events) {
      const port =
        options.transport === undefined ? bus.router.portsOf(event.name)[0]! : bus.router.port(options.transport)
      started.push(await startPump({ bus, event, port, identity, options, settings, gate, stats, slots, work }))
    }
    bus.checkOpen()
  } catch (error) {
    releaseGroups()
    await Promise.allSettled(started.map((pump) => pump.close(0)))
    throw error
  }
  const subscription = runningSubscription({
    consumer: identity.consumer,
    events: names,
    settings: explainSettings(options, bus.defaults, settings),
    pumps: started,
    stats,
    gate,
    onClosed() {
      releaseGroups()
      subscriptions.delete(subscription)
    },
  })
  subscriptions.add(subscription)
  for (const pump of started) pump.start()
  return subscription
}

interface PumpParts {
  readonly bus: BusContext
  readonly event: AnyEvent
  readonly port: TransportPort
  readonly identity: Identity
  readonly options: SubscribeOptions
  readonly settings: ConsumerSettings
  readonly gate: Gate
  readonly stats: SubscriptionStats
  readonly slots: Slots
  readonly work: SubscriptionDefinition['~subscription']
}

async function startPump(parts: PumpParts): Promise<Pump> {
  const { bus, event, port, identity, options, settings, gate, stats, slots, work } = parts
  const { consumer } = identity
  const topic = await port.declare(port.topicOf(event.name))
  const support = port.transport.supports
  const ordered: OrderScope =
    options.ordered ?? (event['~event'].keyOf === undefined || support.ordering.plain === 'none' ? 'none' : 'process')
  if (settings.latestOnly && ordered === 'none')
    throw invalidOption('latestOnly', `"${event.name}" has no key here, so no message is newer than another`)
  checkSupport(port.name, support, identity, options, ordered, topic, bus.deadLetters !== undefined)
  const pipeline = createPipeline({
    consumer,
    scope: deliveryScope(bus, event, consumer, settings),
    settings,
    filter: options.filter === undefined ? undefined : decided(options.filter),
    isBlocked: options.afterDeadLetter === 'blockKey' ? blockedKeys(bus.deadLetters!, consumer, topic.name) : undefined,
    middleware: [
      ...bus.middleware,
      ...(options.use ?? []),
      ...(work.forwardTo === undefined ? [] : [forwarding(bus, event, port.name, work.forwardTo)]),
    ],
    stats,
    clock: bus.clock,
    logger: bus.logger,
    work,
  })
  let pump: Pump | undefined
  const events: ConsumerEvents = {
    revoking: async (partitions, deadlineMs) => pump?.drain(partitions, deadlineMs),
    lost(partitions, cause) {
      bus.report(cause, 'consume')
      pump?.lose(partitions)
    },
    cut(count, reason) {
      stats.cut += count ?? 0
      bus.report(
        new Error(`${count ?? 'Some'} unread messages of "${topic.name}" were removed: ${reason}`),
        'retention',
      )
    },
    recreated(what) {
      bus.logger.warn({ consumer, topic: topic.name, what }, 'made again what was missing on the broker')
    },
  }
  const raw = await port.consume(
    {
      topic: topic.name,
      consumer,
      as: identity.as,
      from: startOf(identity, support),
      ordered,
      leaseMs: settings.leaseMs,
    },
    events,
  )
  pump = new Pump({
    consumer: raw,
    support,
    settings,
    gate,
    slots,
    clock: bus.clock,
    stats,
    work: {
      consumer,
      laneOf: ordered === 'none' ? undefined : (received) => received.key,
      handle: pipeline.handle,
      handleBatch: pipeline.handleBatch,
      deadLetter: createDeadLetterer(
        bus,
        event,
        { transport: port.name, topic: topic.name, consumer },
        support,
        options.onDeadLetter,
      ),
      report: (error, during) => bus.report(error, `${consumer}: ${during}`),
    },
  })
  return pump
}

function deliveryScope(bus: BusContext, event: AnyEvent, consumer: string, settings: ConsumerSettings): DeliveryScope {
  return {
    consumer,
    attempts: settings.retry.attempts,
    logger: bus.logger,
    decode(delivery) {
      const { encoded, received } = delivery
      // What this process itself made of this very event needs no look at its headers.
      if (encoded?.stamp.event === event) {
        if (encoded.value !== undefined) return encoded.value
        if (typeof encoded.body === 'string') return validate(event, event.schema, fromJson(encoded.body))
      }
      const { envelope } = delivery
      if (envelope.type !== event.name) {
        const text = `A message of type "${envelope.type.slice(0, 200)}" arrived where "${event.name}" is read`
        throw evtError('EVT_ENVELOPE_INVALID', text, { field: 'ce-type', reason: `expected ${event.name}` })
      }
      if (received.value !== undefined) return received.value
      const bytes = receivedBytes(received)
      if (bytes > bus.maxPayloadBytes) {
        const reason = `${bytes} bytes, at most ${bus.maxPayloadBytes}`
        throw evtError('EVT_ENVELOPE_INVALID', `The payload is too large: ${reason}`, { field: 'payload', reason })
      }
      return decodePayload(event, envelope, received, bus.codecs)
    },
    publish: (parent, messages, options) => bus.publishMessages(messages, options, parent),
    async publishDerived(parent, messages, options) {
      const source = (parent as ReceivedDelivery).id
      // With the event's name: two events may have messages of one id, which is their publishers' choice.
      await bus.publishMessages(messages, options, parent, (index) =>
        derivedId(consumer, event.name, source, String(index)),
      )
    },
  }
}

/** Nobody else hears of a failure that the next run may mend. */
function told(retry: RetryDecision, consumer: string, logger: Logger): RetryDecision {
  return {
    attempts: retry.attempts,
    decide(thrown, attempt) {
      const outcome = retry.decide(thrown, attempt)
      if (outcome.status === 'retry' && outcome.counted)
        logger.info({ consumer, attempt, afterMs: outcome.afterMs, err: outcome.error }, 'run failed, will be retried')
      return outcome
    },
  }
}

/** A forgotten `return` would lose every message, and a promise would let all of them through. */
function decided(filter: NonNullable<SubscribeOptions['filter']>): typeof filter {
  return (delivery) => {
    const answer: unknown = filter(delivery)
    if (typeof answer !== 'boolean') throw invalidOption('filter', 'expected true or false for an answer')
    return answer
  }
}

function blockedKeys(deadLetters: DeadLetters, consumer: string, topic: string): PipelineParts['isBlocked'] {
  return async ({ key }) => {
    if (key === undefined) return false
    try {
      return (await deadLetters.blockedKeys(consumer, topic, [key])).length > 0
    } catch (error) {
      return retry(error, { afterMs: storeRetryMs, counted: false })
    }
  }
}
