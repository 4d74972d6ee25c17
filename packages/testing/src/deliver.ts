import {
  type AnyEvent,
  checkKnown,
  checkMetadata,
  createBus,
  encodeTopic,
  evtError,
  type InputOf,
  invalidOption,
  isEvtError,
  type Message,
  type MessageOptions,
  type Middleware,
  type Outbox,
  type Outcome,
  type RetryDecision,
  readEnvelope,
  retryDecision,
  type SubscriptionDefinition,
  silentLogger,
  type TransportDelivery,
  uuidv7,
  wholeNumber,
  writeHeaders,
} from '@evt/core'
import { driveClose } from './drive-close.ts'
import type {} from './errors.ts'
import { withinReal } from './event-loop.ts'
import { checkSeed } from './fault-options.ts'
import { oneShotTransport } from './one-shot-transport.ts'
import { seededRandom } from './seeded-random.ts'
import { spyOn } from './spy-subscription.ts'
import { givenOrNewClock, type VirtualClock } from './virtual-clock.ts'

export interface DeliverOptions extends Omit<MessageOptions, 'subject'> {
  /** Which run of the message this is. Default 1. */
  readonly attempt?: number | undefined
  /** The bus's own middleware, around the subscription's. Default: none. */
  readonly use?: readonly Middleware[] | undefined
  /** Of the consumer and of the message. Default `test`. */
  readonly service?: string | undefined
  /** Time-outs and ages are measured on it; move it to let a handler time out. Default: one that stands still. */
  readonly clock?: VirtualClock | undefined
  /** Of the jitter of the back-off. Default 1. */
  readonly seed?: number | undefined
  /** Real milliseconds that the handler may take. Default 3,000. */
  readonly deadlineMs?: number | undefined
}

/** What a delivery came to. */
export interface Delivered {
  readonly outcome: Outcome
  /** The messages that the handler published itself, then those it returned. */
  readonly published: readonly Message[]
}

const known = ['attempt', 'use', 'service', 'clock', 'seed', 'deadlineMs']
const knownOfMessage = ['id', 'key', 'metadata', 'time', 'correlationId']
const namespace = 'evt'

/**
 * Runs one subscription on one payload through the real pipeline: decoding, validation, middleware, handler, retry policy.
 * Nothing is retried. A payload that its schema refuses is handed over as it is, as a broken publisher would. Rejects with
 * `EVT_TESTING_STUCK` when the handler does not end.
 */
export async function deliver<E extends AnyEvent>(
  subscription: SubscriptionDefinition,
  event: E,
  payload: InputOf<E>,
  options: DeliverOptions = {},
): Promise<Delivered> {
  checkKnown('deliver', options, [...known, ...knownOfMessage])
  if (subscription?.['~subscription'] === undefined)
    throw invalidOption('subscription', 'expected what on, onBatch, onAny, onEach or onEverything return')
  const { events } = subscription
  if (events !== 'everything' && !events.includes(event))
    throw invalidOption('event', `the subscription does not read "${event.name}"`)
  const deadlineMs = wholeNumber('deadlineMs', options.deadlineMs, { min: 1, default: 3_000 })
  const service = options.service ?? 'test'
  const clock = givenOrNewClock(options.clock)
  const random = seededRandom(checkSeed(options.seed))
  const delivery = await deliveryOf(event, payload, service, clock, options)
  const { definition, published } = spyOn(subscription)
  let decided: (outcome: Outcome) => void = () => {}
  const outcome = new Promise<Outcome>((resolve) => {
    decided = resolve
  })
  const { decide } = retryDecision(definition.options.retry, random)
  let running = false
  const outermost: Middleware = {
    name: 'deliver',
    slot: 'trace',
    async consume(incoming, next) {
      running = true
      let came: Outcome
      try {
        came = await next()
        if (came === undefined) throw new Error('A middleware answered no outcome')
      } catch (thrown) {
        came = afterThrow(thrown, decide, incoming.attempt)
      }
      running = false
      const reason: unknown = incoming.signal.aborted ? incoming.signal.reason : undefined
      // Whatever a handler makes of its time-out, the bus takes it for a failed run.
      decided(isEvtError(reason, 'EVT_HANDLER_TIMEOUT') ? decide(reason, incoming.attempt) : came)
      // The bus is done with the message, whatever its outcome was.
      return { status: 'ack' }
    },
  }
  const bus = createBus({
    service,
    namespace,
    transport: oneShotTransport(definition.options.transport ?? 'test', encodeTopic(namespace, event.name), delivery),
    outbox: takesAll,
    use: [outermost, ...(options.use ?? [])],
    clock: clock['~clock'].background,
    random,
    logger: silentLogger,
    onError() {},
  })
  try {
    await bus.register(event)
    await bus.subscribe(definition)
    const came = await withinReal(outcome, deadlineMs)
    if (came !== undefined) return { outcome: came, published }
    const stuck = [`the handler of "${event.name}" ${delivery.headers['ce-id']} has not ended`]
    throw evtError('EVT_TESTING_STUCK', `Not settled after ${deadlineMs} ms: ${stuck[0]}`, { deadlineMs, stuck })
  } finally {
    await driveClose(clock, bus.close({ deadlineMs: 0 }), () => running)
  }
}

/** Takes messages of any transaction, which the handler's own commits, and keeps none: what is published is in the answer. */
const takesAll: Outbox<unknown> = {
  name: 'deliver',
  ambient: () => undefined,
  async append() {},
  async store() {},
  async start() {},
  async stop() {},
  health: async () => ({ name: 'outbox:deliver', status: 'healthy' }),
}

/** What the bus makes of a middleware that throws: a payload that cannot be read gets no better by trying again. */
function afterThrow(thrown: unknown, decide: RetryDecision['decide'], attempt: number): Outcome {
  const unreadable = isEvtError(
    thrown,
    'EVT_CODEC_DECODE',
    'EVT_CODEC_UNKNOWN',
    'EVT_PAYLOAD_INVALID',
    'EVT_PAYLOAD_VERSION',
    'EVT_ENVELOPE_INVALID',
  )
  return unreadable ? { status: 'reject', error: thrown } : decide(thrown, attempt)
}

async function deliveryOf(
  event: AnyEvent,
  payload: unknown,
  service: string,
  clock: VirtualClock,
  options: DeliverOptions,
): Promise<TransportDelivery> {
  const attempt = wholeNumber('attempt', options.attempt, { min: 1, default: 1 })
  const validated = await event.schema['~standard'].validate(payload)
  const { codec, keyOf } = event['~event']
  const value = validated.issues === undefined ? validated.value : payload
  const key = options.key ?? (validated.issues === undefined ? keyOf?.(value as never) : undefined)
  const headers = writeHeaders(
    {
      id: options.id ?? uuidv7(clock.nowMs()),
      type: event.name,
      source: `/${service}`,
      time: (options.time ?? new Date(clock.nowMs())).toISOString(),
      contentType: codec.contentType,
      version: event.version,
      key,
      subject: undefined,
      correlationId: options.correlationId,
      causationId: undefined,
    },
    options.metadata === undefined ? undefined : checkMetadata(options.metadata),
    undefined,
  )
  // What no bus could have published is the test's mistake, not the handler's outcome.
  readEnvelope(headers)
  return {
    headers,
    payload: codec.encode(value),
    key,
    partition: 0,
    position: '1',
    attempt,
    deliveries: attempt,
    suspect: false,
    leaseMs: 30_000,
    receipt: undefined,
  }
}
