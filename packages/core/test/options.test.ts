import {
  createBus,
  defineEvent,
  defineEvents,
  discard,
  memoryTransport,
  on,
  onAny,
  onBatch,
  onEach,
  onEverything,
  type,
  upcast,
} from '../src/index.ts'
import { failureOf, Tick, Tock } from './rig.ts'

// promise 18: the mistakes of wrong-programs.ts as plain JavaScript makes them.

const transport = memoryTransport()
/** JavaScript, where nothing is checked before it runs. */
const js = {
  createBus,
  defineEvent,
  defineEvents,
  discard,
  memoryTransport,
  on,
  onAny,
  onBatch,
  onEach,
  onEverything,
  upcast,
} as unknown as Record<string, (...values: unknown[]) => unknown>
const schema = type<{ n: number }>()
const handler = () => {}

const construction: readonly (readonly [string, () => unknown, string, object])[] = [
  ['createBus without options', () => js.createBus!(), 'EVT_OPTION_INVALID', { option: 'createBus' }],
  ['E27 no service', () => js.createBus!({ transport }), 'EVT_NAME_INVALID', { kind: 'service' }],
  [
    'a service with a space',
    () => js.createBus!({ service: 'a b', transport }),
    'EVT_NAME_INVALID',
    { kind: 'service' },
  ],
  [
    'a namespace with *',
    () => js.createBus!({ service: 's', namespace: '*', transport }),
    'EVT_NAME_INVALID',
    { kind: 'namespace' },
  ],
  ['no transport', () => js.createBus!({ service: 's' }), 'EVT_OPTION_INVALID', { option: 'transport' }],
  [
    'half a transport',
    () => js.createBus!({ service: 's', transport: { publish() {} } }),
    'EVT_OPTION_INVALID',
    { option: 'transport.open' },
  ],
  [
    'transport and transports',
    () => js.createBus!({ service: 's', transport, transports: {} }),
    'EVT_OPTION_INVALID',
    { option: 'transports' },
  ],
  [
    'routes with one transport',
    () => js.createBus!({ service: 's', transport, routes: [] }),
    'EVT_OPTION_INVALID',
    { option: 'routes' },
  ],
  [
    'a misspelt option',
    () => js.createBus!({ service: 's', transport, outbx: {} }),
    'EVT_OPTION_UNKNOWN',
    { option: 'outbx' },
  ],
  [
    'a misspelt default',
    () => js.createBus!({ service: 's', transport, defaults: { concurency: 3 } }),
    'EVT_OPTION_UNKNOWN',
    { option: 'concurency' },
  ],
  [
    'a bad default',
    () => js.createBus!({ service: 's', transport, defaults: { timeoutMs: -1 } }),
    'EVT_OPTION_INVALID',
    { option: 'timeoutMs' },
  ],
  [
    'half a logger',
    () => js.createBus!({ service: 's', transport, logger: { info() {} } }),
    'EVT_OPTION_INVALID',
    { option: 'logger.debug' },
  ],
  [
    'half a dead-letter store',
    () => js.createBus!({ service: 's', transport, deadLetters: {} }),
    'EVT_OPTION_INVALID',
    { option: 'deadLetters.append' },
  ],
  [
    'half an outbox',
    () => js.createBus!({ service: 's', transport, outbox: {} }),
    'EVT_OPTION_INVALID',
    { option: 'outbox.ambient' },
  ],
  [
    'half a codec',
    () => js.createBus!({ service: 's', transport, codecs: [{}] }),
    'EVT_OPTION_INVALID',
    { option: 'codecs.encode' },
  ],
  [
    'an onError that is none',
    () => js.createBus!({ service: 's', transport, onError: 'log' }),
    'EVT_OPTION_INVALID',
    { option: 'onError' },
  ],
  [
    'middleware without name',
    () => js.createBus!({ service: 's', transport, use: [{}] }),
    'EVT_OPTION_INVALID',
    { option: 'use' },
  ],
  [
    'a misspelt slot',
    () => js.createBus!({ service: 's', transport, use: [{ name: 'm', slot: 'tracing' }] }),
    'EVT_OPTION_INVALID',
    { option: 'use.m.slot' },
  ],
  [
    'a function as middleware',
    () => js.createBus!({ service: 's', transport, use: [function auth() {}] }),
    'EVT_OPTION_INVALID',
    { option: 'use.auth' },
  ],
  [
    'middleware whose only hook is misspelt',
    () => js.createBus!({ service: 's', transport, use: [{ name: 'm', consumer() {} }] }),
    'EVT_OPTION_INVALID',
    { option: 'use.m' },
  ],
  [
    'a hook that is none',
    () => js.createBus!({ service: 's', transport, use: [{ name: 'm', consume: 5 }] }),
    'EVT_OPTION_INVALID',
    { option: 'use.m.consume' },
  ],
  [
    'storing without outbox',
    () => js.createBus!({ service: 's', transport, outsideTransaction: 'store' }),
    'EVT_OPTION_INVALID',
    { option: 'outsideTransaction' },
  ],
  [
    'a bad mode outside transactions',
    () => js.createBus!({ service: 's', transport, outsideTransaction: 'maybe' }),
    'EVT_OPTION_INVALID',
    { option: 'outsideTransaction' },
  ],
  [
    'E16 an unknown transport in a route',
    () =>
      js.createBus!({
        service: 's',
        transports: { redis: transport },
        defaultTransport: 'redis',
        routes: [{ events: [Tick], to: 'kafak' }],
      }),
    'EVT_TRANSPORT_UNKNOWN',
    { transport: 'kafak', known: ['redis'] },
  ],
  [
    'no default transport',
    () => js.createBus!({ service: 's', transports: { redis: transport } }),
    'EVT_OPTION_INVALID',
    { option: 'defaultTransport', reason: 'expected one of redis' },
  ],
  [
    'a route to nowhere',
    () =>
      js.createBus!({
        service: 's',
        transports: { redis: transport },
        defaultTransport: 'redis',
        routes: [{ events: [Tick], to: [] }],
      }),
    'EVT_OPTION_INVALID',
    { option: 'routes.to' },
  ],
  [
    'a route of nothing',
    () =>
      js.createBus!({
        service: 's',
        transports: { redis: transport },
        defaultTransport: 'redis',
        routes: [{ to: 'redis' }],
      }),
    'EVT_OPTION_INVALID',
    { option: 'routes.events' },
  ],
  [
    'a misspelt route',
    () =>
      js.createBus!({
        service: 's',
        transports: { redis: transport },
        defaultTransport: 'redis',
        routes: [{ event: [Tick], to: 'redis' }],
      }),
    'EVT_OPTION_UNKNOWN',
    { option: 'event' },
  ],
  ['an unknown memory option', () => js.memoryTransport!({ buffer: 5 }), 'EVT_OPTION_UNKNOWN', { option: 'buffer' }],
  [
    'an overflow that drops what it says is settled',
    () => js.memoryTransport!({ overflow: 'dropOldest', confirm: 'settled' }),
    'EVT_OPTION_INVALID',
    { option: 'overflow' },
  ],
  ['a bad overflow', () => js.memoryTransport!({ overflow: 'drop' }), 'EVT_OPTION_INVALID', { option: 'overflow' }],
  [
    'E10 a name with a space',
    () => js.defineEvent!('order created', { schema }),
    'EVT_NAME_INVALID',
    { kind: 'event' },
  ],
  ['E11 a name with *', () => js.defineEvent!('order.*', { schema }), 'EVT_NAME_INVALID', { kind: 'event' }],
  ['a name with >', () => js.defineEvent!('order.>', { schema }), 'EVT_NAME_INVALID', { kind: 'event' }],
  [
    'a name with CR and LF',
    () => js.defineEvent!('order\r\nPUB x 1', { schema }),
    'EVT_NAME_INVALID',
    { kind: 'event' },
  ],
  [
    'a name that is no text',
    () => js.defineEvent!(5, { schema }),
    'EVT_NAME_INVALID',
    { kind: 'event', name: 'number' },
  ],
  [
    'sensitive fields that are no list',
    () => js.defineEvent!('a.e', { schema, sensitive: 'password' }),
    'EVT_OPTION_INVALID',
    { option: 'sensitive' },
  ],
  ['a discard of no event', () => js.discard!('a.e'), 'EVT_OPTION_INVALID', { option: 'event' }],
  ['E24 no schema', () => js.defineEvent!('a.e', {}), 'EVT_OPTION_INVALID', { option: 'schema' }],
  ['an event without definition', () => js.defineEvent!('a.e'), 'EVT_OPTION_INVALID', { option: 'Event "a.e"' }],
  [
    'a misspelt event option',
    () => js.defineEvent!('a.e', { schema, kay: handler }),
    'EVT_OPTION_UNKNOWN',
    { option: 'kay' },
  ],
  [
    'a key that is no function',
    () => js.defineEvent!('a.e', { schema, key: 'id' }),
    'EVT_OPTION_INVALID',
    { option: 'key' },
  ],
  [
    'half a codec of an event',
    () => js.defineEvent!('a.e', { schema, codec: {} }),
    'EVT_OPTION_INVALID',
    { option: 'codec.encode' },
  ],
  [
    'an upcaster of the current version',
    () => js.defineEvent!('a.e', { schema, version: 2, upcasters: [upcast(2, schema, (old) => old)] }),
    'EVT_OPTION_INVALID',
    { option: 'upcasters.from' },
  ],
  [
    'two upcasters of one version',
    () =>
      js.defineEvent!('a.e', {
        schema,
        version: 2,
        upcasters: [upcast(1, schema, (old) => old), upcast(1, schema, (old) => old)],
      }),
    'EVT_OPTION_INVALID',
    { option: 'upcasters' },
  ],
  [
    'an upcaster that is none',
    () => js.defineEvent!('a.e', { schema, version: 2, upcasters: [{}] }),
    'EVT_OPTION_INVALID',
    { option: 'upcasters.migrate' },
  ],
  ['events without definitions', () => js.defineEvents!('a'), 'EVT_OPTION_INVALID', { option: 'definitions' }],
  ['a subscription without handler', () => js.on!(Tick, { group: 'a' }), 'EVT_OPTION_INVALID', { option: 'handler' }],
  [
    'a subscription without event',
    () => js.on!(undefined, handler, { group: 'a' }),
    'EVT_OPTION_INVALID',
    { option: 'events' },
  ],
  ['a subscription without mode', () => js.on!(Tick, handler), 'EVT_SUBSCRIPTION_MODE', { events: ['rig.tick'] }],
  [
    'a subscription with a misspelt group',
    () => js.on!(Tick, handler, { gruop: 'a' }),
    'EVT_OPTION_UNKNOWN',
    { option: 'gruop' },
  ],
  [
    'a subscription with a number as text',
    () => js.on!(Tick, handler, { group: 'a', timeoutMs: '5' }),
    'EVT_OPTION_INVALID',
    { option: 'timeoutMs' },
  ],
  ['a group with a space', () => js.on!(Tick, handler, { group: 'a b' }), 'EVT_NAME_INVALID', { kind: 'group' }],
  [
    'a broadcast without a name for its instance',
    () => js.on!(Tick, handler, { mode: 'broadcast', instance: '' }),
    'EVT_NAME_INVALID',
    { kind: 'instance' },
  ],
  [
    'a subscription with a start nobody knows',
    () => js.on!(Tick, handler, { group: 'a', startAt: 'newest' }),
    'EVT_OPTION_INVALID',
    { option: 'startAt' },
  ],
  [
    'a subscription with a rate as a number',
    () => js.on!(Tick, handler, { group: 'a', rateLimit: 5 }),
    'EVT_OPTION_INVALID',
    { option: 'rateLimit' },
  ],
  [
    'a subscription with a misspelt circuit',
    () => js.on!(Tick, handler, { group: 'a', circuit: { failure: 5 } }),
    'EVT_OPTION_UNKNOWN',
    { option: 'failure' },
  ],
  [
    'a batch outside onBatch',
    () => js.on!(Tick, handler, { group: 'a', batch: {} }),
    'EVT_OPTION_INVALID',
    { option: 'batch' },
  ],
  [
    'E15 onEach without one of its handlers',
    () => js.onEach!({ Tick, Tock }, { Tick: handler }, { group: 'a' }),
    'EVT_OPTION_INVALID',
    { option: 'handlers.Tock' },
  ],
  [
    'onEach with a handler of nothing',
    () => js.onEach!({ Tick }, { Tick: handler, Tack: handler }, { group: 'a' }),
    'EVT_OPTION_UNKNOWN',
    { option: 'Tack' },
  ],
  ['onEach without handlers', () => js.onEach!({ Tick }), 'EVT_OPTION_INVALID', { option: 'onEach' }],
  [
    'onAny without events',
    () => js.onAny!(undefined, handler, { group: 'a' }),
    'EVT_OPTION_INVALID',
    { option: 'events' },
  ],
  ['onAny of no event', () => js.onAny!({}, handler, { group: 'a' }), 'EVT_OPTION_INVALID', { option: 'events' }],
  [
    'onEverything without handler',
    () => js.onEverything!({ mode: 'broadcast' }),
    'EVT_OPTION_INVALID',
    { option: 'handler' },
  ],
  [
    'a message with a misspelt option',
    () => (Tick.of as (...values: unknown[]) => unknown)({ n: 1 }, { metdata: {} }),
    'EVT_OPTION_UNKNOWN',
    { option: 'metdata' },
  ],
]
test.each(construction)('%s is refused at construction by name', async (_what, construct, code, details) => {
  expect(await failureOf(construct)).toMatchObject({ code, details })
})

test('of many subscriptions the one with a misspelt option can be told by its event', async () => {
  const error = await failureOf(() => js.on!(Tock, handler, { group: 'a', concurency: 3 }))
  expect(error.message).toMatch(/^The subscription to rig\.tock has no option "concurency"/)
})
