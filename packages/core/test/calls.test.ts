import { z } from 'zod'
import { defineEvent, type } from '../src/index.ts'
import { failureOf, Keyed, makeRig, steady, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

// promise 18: the mistakes of a caller in plain JavaScript.

const schema = type<{ n: number }>()
const handler = () => {}
const group = 'a'
const subscribing: readonly (readonly [string, unknown, string, object])[] = [
  ['E04 broadcast and group', { mode: 'broadcast', group }, 'EVT_OPTION_INVALID', { option: 'group' }],
  ['E05 a worker with an option nobody has', { group, checkpoint: {} }, 'EVT_OPTION_UNKNOWN', { option: 'checkpoint' }],
  ['E06 a misspelt option', { group, concurency: 3 }, 'EVT_OPTION_UNKNOWN', { option: 'concurency' }],
  ['E23 concurrency as text', { group, concurrency: '16' }, 'EVT_OPTION_INVALID', { option: 'concurrency' }],
  ['E26 a misspelt mode', { mode: 'fanout' }, 'EVT_OPTION_INVALID', { option: 'mode' }],
  ['a group with a space', { group: 'a b' }, 'EVT_NAME_INVALID', { kind: 'group' }],
  ['a group that is a number', { group: 5 }, 'EVT_NAME_INVALID', { kind: 'group' }],
  ['a worker with an instance', { group, instance: 'i' }, 'EVT_OPTION_INVALID', { option: 'instance' }],
  ['an instance with >', { mode: 'broadcast', instance: '>' }, 'EVT_NAME_INVALID', { kind: 'instance' }],
  ['an unknown order', { group, ordered: 'key' }, 'EVT_OPTION_INVALID', { option: 'ordered' }],
  ['a filter that is none', { group, filter: 'x' }, 'EVT_OPTION_INVALID', { option: 'filter' }],
  ['an onDeadLetter that is none', { group, onDeadLetter: {} }, 'EVT_OPTION_INVALID', { option: 'onDeadLetter' }],
  ['latestOnly as text', { group, latestOnly: 'yes' }, 'EVT_OPTION_INVALID', { option: 'latestOnly' }],
  ['a start nobody knows', { group, startAt: 'now' }, 'EVT_OPTION_INVALID', { option: 'startAt' }],
  ['an invalid date', { group, startAt: new Date(Number.NaN) }, 'EVT_OPTION_INVALID', { option: 'startAt' }],
  ['a batch outside onBatch', { group, batch: {} }, 'EVT_OPTION_INVALID', { option: 'batch' }],
  [
    'a rate that is none',
    { group, rateLimit: { perSecond: 0 } },
    'EVT_OPTION_INVALID',
    { option: 'rateLimit.perSecond' },
  ],
  ['a rate as a number', { group, rateLimit: 5 }, 'EVT_OPTION_INVALID', { option: 'rateLimit' }],
  ['a misspelt circuit', { group, circuit: { failure: 5 } }, 'EVT_OPTION_UNKNOWN', { option: 'failure' }],
  ['a circuit as text', { group, circuit: 'on' }, 'EVT_OPTION_INVALID', { option: 'circuit' }],
  ['a transport nobody knows', { group, transport: 'kafka' }, 'EVT_TRANSPORT_UNKNOWN', { transport: 'kafka' }],
  [
    'dead letters neither kept nor dropped',
    { group, deadLetters: 'ignore' },
    'EVT_OPTION_INVALID',
    { option: 'deadLetters' },
  ],
  ['middleware that is no list', { group, use: {} }, 'EVT_OPTION_INVALID', { option: 'use' }],
  ['a misspelt retry', { group, retry: { attemts: 5 } }, 'EVT_OPTION_UNKNOWN', { option: 'attemts' }],
  ['a lease too short to renew', { group, leaseMs: 5 }, 'EVT_OPTION_INVALID', { option: 'leaseMs' }],
]
test.each(subscribing)(
  'subscribing with %s is refused by name before anything is read',
  async (_what, options, code, details) => {
    let consumers = 0
    await using rig = makeRig({
      wrap: (memory) => ({
        ...memory,
        consume(spec, events) {
          consumers += 1
          return memory.consume(spec, events)
        },
      }),
    })
    expect(await failureOf(() => rig.bus.subscribe(Keyed, handler, options as never))).toMatchObject({ code, details })
    expect(consumers).toBe(0)
    expect(rig.bus.describe().subscriptions).toEqual([])
  },
)

test.each([
  ['groups', { groups: false }, { group }, 'group'],
  ['a start by time', { starts: ['earliest', 'latest'] }, { group, startAt: new Date(0) }, 'startAt'],
  [
    'order over a group',
    { ordering: { plain: 'process', partitioned: 'none' } },
    { group, ordered: 'group' },
    'ordered',
  ],
  ['any order', { ordering: { plain: 'none', partitioned: 'none' } }, { group, ordered: 'process' }, 'ordered'],
])(
  'asking a transport for %s that it has not is refused, naming option and transport',
  async (_what, support, options, option) => {
    // promise 18
    await using rig = makeRig({
      wrap: (memory) => ({ ...memory, supports: { ...memory.supports, ...support } as typeof memory.supports }),
    })
    expect(await failureOf(() => rig.bus.subscribe(Tick, handler, options as never))).toMatchObject({
      code: 'EVT_OPTION_UNSUPPORTED',
      details: { option, transport: 'memory' },
    })
  },
)

const Paid = defineEvent('rig.paid', {
  schema: z.object({ id: z.string(), receipt: z.string() }),
  key: (paid) => paid.id,
})
const StrictPaid = defineEvent('rig.strict-paid', { schema: z.strictObject({ id: z.string() }) })
const NumberKey = defineEvent('rig.number-key', { schema, key: (({ n }: { n: number }) => n) as never })
const missing = undefined as unknown as { readonly key: string }
const keyOf = { missing: () => undefined as never, broken: () => missing.key as never }
const Unkeyed = defineEvent('rig.unkeyed', { schema: type<object>(), key: keyOf.missing })
const BrokenKey = defineEvent('rig.broken-key', { schema: type<object>(), key: keyOf.broken })
const paid = { id: '1', receipt: 'r' }
const publishing: readonly (readonly [string, unknown, unknown, unknown, string, object])[] = [
  [
    'E01 a payload of the wrong type',
    Paid,
    { id: 1, receipt: 'r' },
    {},
    'EVT_PAYLOAD_INVALID',
    { event: 'rig.paid', issues: [{ path: ['id'] }] },
  ],
  ['E02 a missing field', Paid, { id: '1' }, {}, 'EVT_PAYLOAD_INVALID', { issues: [{ path: ['receipt'] }] }],
  [
    'E03 an excess field of a strict schema',
    StrictPaid,
    { id: '1', cardNumber: '4111' },
    {},
    'EVT_PAYLOAD_INVALID',
    { issues: [{ keys: ['cardNumber'] }] },
  ],
  [
    'E18 a transaction without outbox',
    Paid,
    paid,
    { transaction: {} },
    'EVT_TRANSACTION_UNSUPPORTED',
    { service: 'rig' },
  ],
  ['E25 a key that is a number', NumberKey, { n: 1 }, {}, 'EVT_OPTION_INVALID', { option: 'key' }],
  [
    'a key that is missing, beside other options',
    Unkeyed,
    paid,
    { subject: 's' },
    'EVT_OPTION_INVALID',
    { option: 'key' },
  ],
  ['a key that throws', BrokenKey, paid, {}, 'EVT_OPTION_INVALID', { option: 'key' }],
  ['an empty key', Paid, { id: '', receipt: 'r' }, {}, 'EVT_OPTION_INVALID', { option: 'key' }],
  ['a function that was to be called', Tick, () => ({ n: 1 }), {}, 'EVT_CODEC_ENCODE', { event: 'rig.tick' }],
  ['something that is no event', { name: 'x' }, paid, {}, 'EVT_OPTION_INVALID', { option: 'event' }],
  ['a misspelt option', Paid, paid, { metdata: {} }, 'EVT_OPTION_UNKNOWN', { option: 'metdata' }],
  ['options that are none', Paid, paid, 'now', 'EVT_OPTION_INVALID', { option: 'publish' }],
  ['an empty id', Paid, paid, { id: '' }, 'EVT_OPTION_INVALID', { option: 'id' }],
  ['a time that is text', Paid, paid, { time: '2026-01-01' }, 'EVT_OPTION_INVALID', { option: 'time' }],
  ['a signal that is none', Paid, paid, { signal: {} }, 'EVT_OPTION_INVALID', { option: 'signal.throwIfAborted' }],
  ['metadata that is text', Paid, paid, { metadata: 'abc' }, 'EVT_OPTION_INVALID', { option: 'metadata' }],
]
test.each(publishing)(
  'publishing %s is refused by name and sends nothing',
  async (_what, event, payload, options, code, details) => {
    await using rig = makeRig()
    let seen = 0
    for (const each of [Paid, StrictPaid, NumberKey, Unkeyed, BrokenKey])
      await rig.bus.subscribe(
        each,
        () => {
          seen += 1
        },
        { group },
      )
    expect(
      await failureOf(() => rig.bus.publish(event as typeof Paid, payload as never, options as never)),
    ).toMatchObject({ code, details })
    await settle()
    expect(seen).toBe(0)
  },
)

test('the other mistakes a caller of a bus can make are typed errors too', async () => {
  await using rig = makeRig()
  const bus = rig.bus as unknown as Record<string, (...values: unknown[]) => unknown>
  const options = [
    await failureOf(() => bus.subscribe!(Tick, 5, { group })),
    await failureOf(() => bus.subscribe!({})),
    await failureOf(() => bus.publishMany!({})),
    await failureOf(() => bus.publishMany!([{}])),
    await failureOf(() => bus.publishMany!([Tick.of({ n: 1 })], { id: 'x' })),
    await failureOf(() => bus.register!({ Tick: {} })),
    await failureOf(() => bus.run!({ signal: 'SIGINT' })),
    await failureOf(() => bus.close!({ deadline: 5 })),
  ].map(({ details }) => (details as { option: string }).option)
  expect(options).toEqual(['handler', 'subscriptions', 'messages', 'messages', 'id', 'event', 'signal', 'deadline'])
  const subscription = await rig.bus.subscribe(Tick, handler, { group, retry: steady })
  expect(await failureOf(() => subscription.close({ deadlineMs: -1 }))).toMatchObject({
    details: { option: 'deadlineMs' },
  })
  expect(subscription.state).toBe('running')
})
