import type { SubscribeOptions, TransportSupport } from '../src/index.ts'
import { failureOf, Keyed, makeRig } from './rig.ts'

const none: Pick<TransportSupport, 'ordering'> = { ordering: { plain: 'none', partitioned: 'none' } }
const byPartition: Pick<TransportSupport, 'ordering'> = { ordering: { plain: 'process', partitioned: 'group' } }
const lacks: readonly (readonly [string, Partial<TransportSupport>, Partial<SubscribeOptions>, string])[] = [
  ['groups', { groups: false }, {}, 'group'],
  ['any order', none, { ordered: 'process' }, 'ordered'],
  ['order over a group', none, { ordered: 'group' }, 'ordered'],
  ['order over a group of a topic without partitions', byPartition, { ordered: 'group' }, 'ordered'],
]

test.each(lacks)(
  'a transport without %s refuses what asks for it before anything is read',
  async (_what, supports, options, option) => {
    // promise 18
    let reads = 0
    await using rig = makeRig({
      wrap: (memory) => ({
        ...memory,
        supports: { ...memory.supports, ...supports },
        consume(spec, events) {
          reads += 1
          return memory.consume(spec, events)
        },
      }),
    })
    const asked = { group: 'a', ...options } as SubscribeOptions
    const failure = await failureOf(() => rig.bus.subscribe(Keyed, () => {}, asked))
    expect(failure).toMatchObject({ code: 'EVT_OPTION_UNSUPPORTED', details: { option, transport: 'memory' } })
    expect(reads).toBe(0)
  },
)

test('an event with a key is read without order where its transport keeps none and nobody asked for one', async () => {
  const orders: string[] = []
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      supports: { ...memory.supports, ...none },
      consume(spec, events) {
        orders.push(spec.ordered)
        return memory.consume(spec, events)
      },
    }),
  })
  await rig.bus.subscribe(Keyed, () => {}, { group: 'a' })
  expect(orders).toEqual(['none'])
})
