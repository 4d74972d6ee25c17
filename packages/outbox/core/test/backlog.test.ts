import { failureOf } from '@evt/core/conformance'
import { manualClock } from './manual-clock.ts'
import { failing, fixture } from './relay-fixture.ts'

const backlog = Array.from({ length: 100 }, (_value, n): [string, object] => [`m${n}`, { key: `k${n % 7}` }])

test.each(['accepted', 'settled'] as const)(
  'a backlog of many batches is published in one go, without waiting for the next look (%s)',
  async (confirms) => {
    const clock = manualClock()
    const { store, relay, published, write, start } = fixture({ pollMs: 600_000, batch: 7 })
    await write(...backlog)
    start(() => [], { clock, confirms })
    await clock.advance(0)
    expect(published()).toEqual(backlog.map(([text]) => text))
    expect(await store.count()).toEqual({ waiting: 0, parked: 0 })
    await relay.stop()
  },
)

test('a drain rejects with what its store failed with, and goes on another time', async () => {
  let down = true
  const { relay, write, attach } = fixture({
    wrap: (inner) => ({
      ...inner,
      lead: (owner, leaseMs) => (down ? Promise.reject(new Error('the database is away')) : inner.lead(owner, leaseMs)),
    }),
  })
  await write('a1')
  attach()
  expect(await failureOf(relay.drain({ budgetMs: 1_000 }))).toMatchObject({ message: 'the database is away' })
  down = false
  expect(await relay.drain({ budgetMs: 1_000 })).toEqual({ published: 1, remaining: 0 })
})

test('a drain that its store ends publishes nothing once it has rejected, and gives back the lead if it can', async () => {
  const clock = manualClock()
  let leads = 0
  const { store, relay, calls, write, attach } = fixture({
    leaseMs: 60_000,
    wrap: (inner) => ({
      ...inner,
      async lead(owner, leaseMs) {
        leads += 1
        if (leads === 2) throw new Error('the database is away')
        return inner.lead(owner, leaseMs)
      },
    }),
  })
  await write('a1', 'b1')
  attach(failing('unavailable', 'a1'), { clock })
  expect(await failureOf(relay.drain({ budgetMs: 10_000 }))).toMatchObject({ message: 'the database is away' })
  const before = calls.length
  // Longer than what failed is left alone.
  await clock.advance(30_000)
  expect(calls).toHaveLength(before)
  expect(await store.lead('another', 1_000)).not.toBeNull()
})

test.each([
  ['no options', undefined, 'drain'],
  ['a misspelt budget', { budget: 5_000 }, 'budget'],
  ['no budget', {}, 'budgetMs'],
  ['a budget that is text', { budgetMs: '5000' }, 'budgetMs'],
  ['a budget without end', { budgetMs: Number.POSITIVE_INFINITY }, 'budgetMs'],
])('a drain with %s is refused by name, and publishes nothing', async (_what, options, option) => {
  const { relay, published, write, attach } = fixture()
  await write('a1')
  attach()
  expect(await failureOf(relay.drain(options as never))).toMatchObject({ details: { option } })
  expect(published()).toEqual([])
})
