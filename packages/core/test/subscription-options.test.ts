import { memoryTransport, on } from '../src/index.ts'
import { failureOf, Tick } from './rig.ts'

// promise 18: what needs neither a bus nor its transport is refused where it is written, so that the stack names that line.
const mistakes: readonly (readonly [string, object, string, object])[] = [
  [
    'a rate limit that is none',
    { group: 'a', rateLimit: { perSecond: -1 } },
    'EVT_OPTION_INVALID',
    { option: 'rateLimit.perSecond' },
  ],
  [
    'a rate limit with a misspelt option',
    { group: 'a', rateLimit: { perSecond: 1, brust: 2 } },
    'EVT_OPTION_UNKNOWN',
    { option: 'brust' },
  ],
  ['a circuit that is none', { group: 'a', circuit: 5 }, 'EVT_OPTION_INVALID', { option: 'circuit' }],
  [
    'a circuit that opens at nothing',
    { group: 'a', circuit: { failures: 0 } },
    'EVT_OPTION_INVALID',
    { option: 'circuit.failures' },
  ],
  ['a start that is no start', { group: 'a', startAt: 'whenever' }, 'EVT_OPTION_INVALID', { option: 'startAt' }],
  ['a start at no time', { group: 'a', startAt: new Date(Number.NaN) }, 'EVT_OPTION_INVALID', { option: 'startAt' }],
  [
    'latestOnly without an order',
    { group: 'a', latestOnly: true, ordered: 'none' },
    'EVT_OPTION_INVALID',
    { option: 'latestOnly' },
  ],
  [
    'blockKey without an order',
    { group: 'a', afterDeadLetter: 'blockKey', ordered: 'none' },
    'EVT_OPTION_INVALID',
    { option: 'afterDeadLetter' },
  ],
  [
    'a transport given as a value',
    { group: 'a', transport: memoryTransport() },
    'EVT_OPTION_INVALID',
    { option: 'transport' },
  ],
  [
    'latestOnly that is neither true nor false',
    { group: 'a', latestOnly: 'yes' },
    'EVT_OPTION_INVALID',
    { option: 'latestOnly' },
  ],
  ['a group with a blank', { group: 'a b' }, 'EVT_NAME_INVALID', { kind: 'group' }],
  [
    'a broadcast with a blank in its name',
    { mode: 'broadcast', name: 'a b' },
    'EVT_NAME_INVALID',
    { kind: 'subscription' },
  ],
  ['a broadcast with an empty instance', { mode: 'broadcast', instance: '' }, 'EVT_NAME_INVALID', { kind: 'instance' }],
  [
    'middleware of a subscription that would be started',
    {
      group: 'a',
      use: [{ name: 'm', start: async () => {}, consume: (_delivery: unknown, next: () => unknown) => next() }],
    },
    'EVT_OPTION_INVALID',
    { option: 'use.m.start' },
  ],
  [
    'middleware of a subscription around publishing',
    { group: 'a', use: [{ name: 'm', publish: (_draft: unknown, next: () => unknown) => next() }] },
    'EVT_OPTION_INVALID',
    { option: 'use.m.publish' },
  ],
]
test.each(mistakes)(
  '%s is refused where the subscription is written, by name',
  async (_what, options, code, details) => {
    expect(await failureOf(() => on(Tick, () => {}, options as never))).toMatchObject({ code, details })
  },
)
