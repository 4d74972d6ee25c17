import { systemClock } from '../clock.ts'
import { jsonCodec } from '../codec.ts'
import type { Subscription } from '../consumer/running-subscription.ts'
import type { ReceivedDelivery } from '../delivery.ts'
import { evtError, isEvtError } from '../errors.ts'
import type { AnyEvent, EventGroup } from '../event.ts'
import { consoleLogger, guardedLogger } from '../logger.ts'
import { checkMiddleware } from '../middleware.ts'
import { checkName } from '../names.ts'
import { checkKnown, invalidOption, wholeNumber } from '../options.ts'
import type { Outbox, RelayTarget } from '../outbox.ts'
import { type Handler, on, type SubscriptionDefinition } from '../subscription.ts'
import type { SubscribeOptions } from '../subscription-options.ts'
import { within } from '../within.ts'
import type { Bus, BusOptions, CloseOptions, RoutedOptions, RunOptions, SingleTransportOptions } from './bus.ts'
import { checkParts, transportsOf } from './check-bus.ts'
import type { BusContext } from './context.ts'
import { createEncoder } from './encoder.ts'
import { createEventList } from './event-list.ts'
import { createGroupList } from './group-list.ts'
import { combineHealth, partHealth, reasonOf, unhealthy } from './health.ts'
import { holding } from './holding.ts'
import { createPublishing } from './publishing.ts'
import { createRouter, type Route } from './router.ts'
import { startSubscription } from './start-subscription.ts'
import { checkSignals, listenForStop } from './stop-signals.ts'
import { TransportPort } from './transport-port.ts'

const defaultDeadlineMs = 10_000
const maxFired = 10_000
const graceMs = 1_000
const transportGraceMs = 10_000
const maxPartitions = 1_024

/** Makes a bus. Nothing connects before its first use. Throws for options that cannot be honoured. */
export function createBus<Transaction = never>(options: SingleTransportOptions<Transaction>): Bus<Transaction>
export function createBus<Names extends string, Transaction = never>(
  options: RoutedOptions<Transaction, Names>,
): Bus<Transaction>
export function createBus(options: BusOptions<never>): Bus<never> {
  checkParts(options)
  const service = checkName('service', options.service)
  const namespace = checkName('namespace', options.namespace ?? 'evt')
  const clock = options.clock ?? systemClock
  const logger = guardedLogger(options.logger ?? consoleLogger, (error) => options.onError?.(error, 'logger'))
  const outbox = options.outbox as Outbox<never> | undefined
  const publishTimeoutMs = wholeNumber('publishTimeoutMs', options.publishTimeoutMs, { min: 1, default: 10_000 })
  const maxPayloadBytes = wholeNumber('maxPayloadBytes', options.maxPayloadBytes, {
    min: 1,
    default: 16 * 1_024 * 1_024,
  })
  const report = (error: unknown, during: string) => {
    try {
      if (options.onError === undefined) logger.warn({ service, during, err: error }, 'failure')
      else options.onError(error, during)
    } catch (thrown) {
      logger.error({ service, err: thrown }, 'onError threw')
    }
  }
  const { transports, fallback } = transportsOf(options)
  const ports = new Map(
    Object.entries(transports).map(([name, transport]) => [
      name,
      new TransportPort({ name, transport, namespace, clock, publishTimeoutMs, logger, report }),
    ]),
  )
  const router = createRouter(ports, (options.routes ?? []) as readonly Route[], fallback)
  const events = createEventList()
  const groups = createGroupList()
  const middleware = checkMiddleware('use', options.use)
  const subscriptions = new Set<Subscription>()
  const outsideTransaction = options.outsideTransaction ?? 'publish'
  if (!['publish', 'store', 'refuse'].includes(outsideTransaction))
    throw invalidOption('outsideTransaction', "expected 'publish', 'store' or 'refuse'")
  if (outsideTransaction !== 'publish' && outbox === undefined)
    throw invalidOption('outsideTransaction', `'${outsideTransaction}' needs an outbox`)
  let state: 'open' | 'closing' | 'closed' = 'open'
  let closing: Promise<void> | undefined
  let firing = 0
  let fireFailures = 0
  const fireIdle: (() => void)[] = []
  const closed = new AbortController()

  const target: RelayTarget = {
    clock,
    logger,
    transports: [...ports.keys()],
    supports: (name) => ports.get(name)?.transport.supports,
    publish: (name, batch) => router.port(name).publisher.publishBatch(batch),
  }
  // What wraps messages must be ready before the first of them, publishing or handling.
  let middlewareStarting: Promise<void> | undefined
  let middlewareStarted = middleware.every((each) => each.start === undefined)
  const toStart = [...middleware]
  const startMiddleware = () => {
    middlewareStarting ??= (async () => {
      for (let each = toStart[0]; each !== undefined; each = toStart[0]) {
        if (state === 'closed') throw busClosed(service)
        await each.start?.()
        toStart.shift()
      }
      middlewareStarted = true
    })().catch((error) => {
      middlewareStarting = undefined
      throw error
    })
    return middlewareStarting
  }
  let starting: Promise<void> | undefined
  let usesOutbox = false
  const start = () => {
    const isOver = state === 'closed' || (state === 'closing' && starting === undefined)
    if (isOver) return Promise.reject(busClosed(service))
    starting ??= (async () => {
      await startMiddleware()
      await Promise.all([...ports.values()].map((port) => port.open()))
      if (outbox === undefined || state === 'closed') return
      usesOutbox = true
      await outbox.start(target)
    })().catch((error) => {
      starting = undefined
      // Whose it is has started it, and will stop it.
      if (isEvtError(error, 'EVT_OUTBOX_SHARED')) usesOutbox = false
      throw error
    })
    return starting
  }
  const startRelay = () => {
    if (starting === undefined && state === 'open') start().catch((error) => report(error, 'start'))
  }
  const publishing = createPublishing({
    service,
    encoder: createEncoder(service, clock, maxPayloadBytes),
    router,
    events,
    middleware,
    outbox,
    outsideTransaction,
    onStored: startRelay,
  })
  const publishMessages: typeof publishing.publishMessages = (messages, publishOptions, parent, idOf) => {
    if (state === 'closed') return Promise.reject(busClosed(service))
    if (middlewareStarted) return publishing.publishMessages(messages, publishOptions, parent, idOf)
    return startMiddleware().then(() => publishing.publishMessages(messages, publishOptions, parent, idOf))
  }
  const context: BusContext = {
    service,
    router,
    clock,
    random: options.random ?? Math.random,
    logger,
    codecs: new Map([jsonCodec, ...(options.codecs ?? [])].map((codec) => [codec.contentType, codec])),
    middleware,
    defaults: options.defaults ?? {},
    deadLetters: options.deadLetters,
    maxPayloadBytes,
    events,
    checkOpen() {
      if (state !== 'open') throw busClosed(service)
    },
    report,
    publishMessages: (messages, publishOptions, parent, idOf) =>
      publishMessages(messages, publishOptions, parent as ReceivedDelivery, idOf),
  }
  const subscribing = new Set<Promise<unknown>>()
  const subscribeAll = (definitions: readonly SubscriptionDefinition[]): Promise<readonly Subscription[]> => {
    const starting = startAll(definitions).finally(() => subscribing.delete(starting))
    subscribing.add(starting)
    return starting
  }
  const startAll = async (definitions: readonly SubscriptionDefinition[]): Promise<readonly Subscription[]> => {
    context.checkOpen()
    const started: Subscription[] = []
    try {
      await startMiddleware()
      for (const definition of definitions) {
        if (definition?.['~subscription'] === undefined)
          throw invalidOption('subscriptions', 'expected what on, onBatch, onAny, onEach or onEverything return')
        started.push(await startSubscription(context, groups, subscriptions, definition))
      }
      context.checkOpen()
      // After the groups exist: a relay that publishes earlier would publish past them.
      await start()
    } catch (error) {
      await Promise.allSettled(started.map((subscription) => subscription.close({ deadlineMs: 0 })))
      // A transport that ends meanwhile says so in its own way, which is not what went wrong.
      throw state === 'open' || isEvtError(error, 'EVT_BUS_CLOSED') ? error : busClosed(service, error)
    }
    return started
  }
  const fired = () => {
    firing -= 1
    if (firing === 0) for (const resolve of fireIdle.splice(0)) resolve()
  }
  const fail = (error: unknown) => {
    fireFailures += 1
    report(error, 'fire')
  }
  const close = async (deadlineMs: number) => {
    state = 'closing'
    const untilMs = clock.monotonicMs() + deadlineMs
    const leftMs = () => Math.max(0, untilMs - clock.monotonicMs())
    const errors: unknown[] = []
    const attempt = async (work: () => Promise<unknown> | undefined) => {
      try {
        await work()
      } catch (error) {
        errors.push(error)
      }
    }
    // A server that has gone silent must not keep a process from ending.
    const inTime = async (what: string, longerMs: number, work: Promise<unknown>) => {
      if (await within(clock, leftMs() + longerMs, work)) return
      report(new Error(`${what} has not ended in time and is left behind`), 'close')
    }
    await Promise.all([...subscriptions].map((subscription) => attempt(() => subscription.close({ deadlineMs }))))
    for (const port of ports.values()) port.publisher.abandonUnconfirmed()
    if (firing > 0) await within(clock, leftMs(), new Promise<void>((resolve) => fireIdle.push(resolve)))
    await within(clock, leftMs(), Promise.all([...ports.values()].map((port) => port.publisher.drained())))
    // From here on nobody watches how long a publish takes.
    state = 'closed'
    for (const port of ports.values()) port.publisher.abandon()
    await attempt(async () => {
      // A transport whose server is away may open never, and a relay waits for a call that may never be answered.
      const begun = [starting, middlewareStarting, ...subscribing]
      await inTime('Starting', graceMs, Promise.allSettled(begun))
      if (usesOutbox) await inTime(`The outbox ${outbox!.name}`, graceMs, outbox!.stop())
    })
    for (const each of [...middleware].reverse()) await attempt(async () => each.stop?.())
    const closePort = (port: TransportPort) =>
      inTime(`The transport ${port.name}`, transportGraceMs, port.close(leftMs() + graceMs))
    await Promise.all([...ports.values()].map((port) => attempt(() => closePort(port))))
    closed.abort()
    if (errors.length > 0) throw errors[0]
  }

  const bus: Bus<never> = {
    service,
    publish(event, payload, publishOptions) {
      if (event?.['~event'] === undefined)
        return Promise.reject(invalidOption('event', 'expected what defineEvent returns'))
      if (state === 'closed') return Promise.reject(busClosed(service))
      if (middlewareStarted) return publishing.publishOne(event, payload, publishOptions)
      return startMiddleware().then(() => publishing.publishOne(event, payload, publishOptions))
    },
    async publishMany(messages, publishOptions = {}) {
      checkKnown('publishMany', publishOptions, ['transaction', 'signal'])
      return publishMessages(messages, publishOptions, undefined)
    },
    fire(event, payload, publishOptions = {}) {
      if (firing >= maxFired) return fail(new Error(`more than ${maxFired} fired messages are waiting`))
      firing += 1
      bus.publish(event, payload, publishOptions).catch(fail).finally(fired)
    },
    subscribe: (async (first: AnyEvent | SubscriptionDefinition, ...rest: readonly unknown[]) => {
      if (typeof rest[0] !== 'function' && (first as AnyEvent | undefined)?.['~event'] === undefined)
        return subscribeAll([first, ...rest] as readonly SubscriptionDefinition[])
      const definition = on(first as AnyEvent, rest[0] as Handler, rest[1] as SubscribeOptions)
      return (await subscribeAll([definition]))[0]!
    }) as Bus<never>['subscribe'],
    async register(given, registerOptions = {}) {
      checkKnown('register', registerOptions, ['partitions'])
      context.checkOpen()
      const partitions =
        registerOptions.partitions === undefined
          ? undefined
          : wholeNumber('partitions', registerOptions.partitions, { min: 1, max: maxPartitions, default: 1 })
      const list = eventsIn(given)
      events.addAll(list)
      await Promise.all(
        list.flatMap(({ name }) => router.portsOf(name).map((port) => port.declare(port.topicOf(name), partitions))),
      )
    },
    start,
    async run(runOptions: RunOptions = {}) {
      checkKnown('run', runOptions, ['subscriptions', 'signals', 'deadlineMs'])
      const { subscriptions: definitions, signals = ['SIGINT', 'SIGTERM'] } = runOptions
      checkSignals(signals)
      if (definitions !== undefined && !Array.isArray(definitions))
        throw invalidOption('subscriptions', 'expected a list')
      context.checkOpen()
      const stop = listenForStop(signals, closed.signal)
      const serve = async () => {
        if (definitions !== undefined) await subscribeAll(definitions)
        await start()
        await stop.stopped
      }
      try {
        // Also while it starts: whoever is told to stop then has handlers at work already.
        await holding(() => Promise.race([serve(), stop.stopped]))
      } finally {
        stop.release()
      }
      await bus.close(runOptions.deadlineMs === undefined ? {} : { deadlineMs: runOptions.deadlineMs })
    },
    async health() {
      const parts = [...ports.values()].map((port) =>
        partHealth(`transport:${port.name}`, 'unhealthy', reasonOf(port.failing)),
      )
      for (const subscription of subscriptions) parts.push(...subscription.health().parts)
      if (outbox !== undefined) parts.push(await outbox.health().catch((error) => unhealthy(outbox.name, error)))
      if (fireFailures > 0) parts.push(partHealth('fire', 'degraded', `${fireFailures} fired messages failed`))
      if (state !== 'open') parts.push(partHealth('bus', 'unhealthy', `it is ${state}`))
      return combineHealth(parts)
    },
    describe: () => ({
      service,
      namespace,
      transports: [...ports.values()].map((port) => ({
        name: port.name,
        kind: port.transport.name,
        supports: port.transport.supports,
      })),
      events: events.all.map((event) => ({
        name: event.name,
        version: event.version,
        description: event.description,
        transports: router.portsOf(event.name).map((port) => port.name),
      })),
      subscriptions: [...subscriptions].map(({ consumer, events: names, state: now, settings }) => ({
        consumer,
        events: names,
        state: now,
        settings,
      })),
      outbox: outbox?.name,
      deadLetters: options.deadLetters?.name,
    }),
    close(closeOptions: CloseOptions = {}) {
      checkKnown('close', closeOptions, ['deadlineMs'])
      const deadlineMs = wholeNumber('deadlineMs', closeOptions.deadlineMs, { min: 0, default: defaultDeadlineMs })
      closing ??= holding(() => close(deadlineMs))
      return closing
    },
    [Symbol.asyncDispose]: () => bus.close(),
  }
  return bus
}

function eventsIn(given: AnyEvent | readonly AnyEvent[] | EventGroup): readonly AnyEvent[] {
  if (Array.isArray(given)) return given
  if (typeof given !== 'object' || given === null) throw invalidOption('events', 'expected what defineEvent returns')
  return '~event' in given ? [given as AnyEvent] : Object.values(given)
}
function busClosed(service: string, cause?: unknown): Error {
  return evtError('EVT_BUS_CLOSED', `The bus "${service}" is closed`, { service }, { cause })
}
