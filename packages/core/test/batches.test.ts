import { z } from 'zod'
import { type Delivery, defineEvent, type Outcome, onBatch, reject, retry } from '../src/index.ts'
import { door, Keyed, makeRig, range, smuggle, steady, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

const Strict = defineEvent('rig.strict', { schema: z.object({ n: z.number() }) })
const Slow = defineEvent('rig.slow', { schema: z.object({ n: z.number() }).refine(async () => true) })

test('a batch is full at its size or its bytes, and one that is not full waits no longer than it may', async () => {
  await using rig = makeRig()
  const sizes: [number, number][] = []
  await rig.bus.subscribe(
    onBatch(Tick, (ticks) => void sizes.push([ticks.length, rig.clock.monotonicMs()]), {
      group: 'a',
      batch: { maxItems: 4, maxBytes: 1_000, lingerMs: 200 },
    }),
  )
  await rig.bus.publishMany(range(10).map((n) => Tick.of({ n })))
  await rig.clock.advance(199)
  expect(sizes).toEqual([
    [4, 0],
    [4, 0],
  ])
  await rig.clock.advance(1)
  expect(sizes[2]).toEqual([2, 200])
  await rig.bus.publish(Tick, { n: 1, key: 'x'.repeat(2_000) })
  await settle()
  expect(sizes[3]).toEqual([1, 200])
})

test('each item has an outcome of its own: a failed one is retried with the next batch, the others are not', async () => {
  await using rig = makeRig()
  const batches: [number, number][][] = []
  const [subscription] = await rig.bus.subscribe(
    onBatch(
      Tick,
      (ticks, { deliveries }) => {
        batches.push(deliveries.map(({ attempt }, index) => [ticks[index]!.n, attempt]))
        return Promise.allSettled(
          ticks.map(async ({ n }, index) => {
            if (n === 1) reject('no')
            if (n === 2 && deliveries[index]!.attempt === 1) throw new Error('again')
            if (n === 3 && deliveries[index]!.attempt === 1) retry('busy', { afterMs: 300 })
          }),
        )
      },
      { group: 'a', batch: { maxItems: 10, lingerMs: 0 }, retry: steady },
    ),
  )
  await rig.bus.publishMany(range(5).map((n) => Tick.of({ n })))
  await rig.clock.advance(1_000)
  expect(batches).toEqual([range(5).map((n) => [n, 1]), [[2, 2]], [[3, 2]]])
  expect(rig.transport.deadLetters()).toMatchObject([{ reason: 'no' }])
  expect(subscription!.stats()).toMatchObject({ acknowledged: 4, deadLettered: 1 })
})

describe.each([
  { title: 'without middleware', use: [] },
  {
    title: 'behind a middleware',
    use: [{ name: 'through', consume: (_delivery: Delivery, next: () => Promise<Outcome>) => next() }],
  },
])('$title', ({ use }) => {
  test.each([
    { how: 'at once', event: Strict },
    { how: 'by an asynchronous schema', event: Slow },
  ])('of items read $how one that cannot be read is dead-lettered, the rest is handled in order', async ({ event }) => {
    await using rig = makeRig()
    const batches: number[][] = []
    await rig.bus.subscribe(
      onBatch(event, (all) => void batches.push(all.map(({ n }) => n)), {
        ...{ group: 'a', batch: { maxItems: 5, lingerMs: 10 }, use },
      }),
    )
    const topic = `evt.${event.name}`
    await rig.bus.publish(event, { n: 1 })
    await smuggle(rig.transport, topic, {}, '{"n":')
    await smuggle(rig.transport, topic, { 'content-type': 'x/y' }, '{}')
    await smuggle(rig.transport, topic, {}, '{"n":"text"}')
    await rig.bus.publish(event, { n: 2 })
    await rig.clock.advance(100)
    expect(batches).toEqual([[1, 2]])
    expect(rig.transport.deadLetters()).toHaveLength(3)
  })
})

test('a batch of nothing but unreadable items never reaches its handler and is settled', async () => {
  await using rig = makeRig()
  let runs = 0
  const [subscription] = await rig.bus.subscribe(
    onBatch(
      Strict,
      () => {
        runs += 1
      },
      { group: 'a', batch: { maxItems: 2, lingerMs: 10 } },
    ),
  )
  for (const _n of range(2)) await smuggle(rig.transport, 'evt.rig.strict', {}, 'x')
  await rig.clock.advance(100)
  expect([runs, subscription!.stats().deadLettered, subscription!.stats().inFlight]).toEqual([0, 2, 0])
})

test.each([
  [
    'too few results',
    'tried again',
    (count: number) => range(count - 1).map(() => ({ status: 'fulfilled', value: 1 })),
  ],
  ['something that is no result', 'dead-lettered at once', (count: number) => range(count).map(() => 1)],
  ['no list', 'dead-lettered at once', () => 'done'],
  ['null', 'dead-lettered at once', () => null],
])('a batch handler that returns %s has all of its items %s, and the error names it', async (_what, fate, result) => {
  await using rig = makeRig()
  let runs = 0
  await rig.bus.subscribe(
    onBatch(
      Tick,
      (ticks) => {
        runs += 1
        return result(ticks.length) as never
      },
      {
        group: 'a',
        batch: { maxItems: 3, lingerMs: 0 },
        retry: { attempts: 2, backoff: { minMs: 10, jitter: false } },
      },
    ),
  )
  await rig.bus.publishMany(range(3).map((n) => Tick.of({ n })))
  await rig.clock.advance(1_000)
  if (fate === 'tried again') expect(runs).toBeGreaterThanOrEqual(2)
  else expect(runs).toBe(1)
  expect(rig.transport.deadLetters()).toHaveLength(3)
  expect(rig.transport.deadLetters()[0]!.history[0]).toMatchObject({ code: 'EVT_HANDLER_RESULT' })
})

test('the event loop turns while a backlog is handled whose handlers need nothing but this process', async () => {
  await using rig = makeRig()
  await rig.bus.register(Tick)
  const batches = 100
  let handled = 0
  let turns = 0
  const all = door()
  const count = () => {
    turns += 1
    if (handled < batches) setImmediate(count)
    else all.open()
  }
  await rig.bus.publishMany(range(batches).map((n) => Tick.of({ n })))
  await rig.bus.subscribe(
    onBatch(
      Tick,
      () => {
        handled += 1
      },
      { group: 'a', batch: { maxItems: 1, lingerMs: 0 }, prefetch: 1 },
    ),
  )
  count()
  await all.opened
  expect(turns).toBeGreaterThan(batches / 4)
})

test('a handler may keep its batch: no later batch changes it', async () => {
  await using rig = makeRig()
  const kept: (readonly { readonly n: number }[])[] = []
  await rig.bus.subscribe(
    onBatch(Tick, (ticks) => void kept.push(ticks), { group: 'a', batch: { maxItems: 2, lingerMs: 0 } }),
  )
  await rig.bus.publishMany(range(6).map((n) => Tick.of({ n })))
  await settle()
  expect(kept.map((ticks) => ticks.map(({ n }) => n))).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
  ])
})

test('what waits for a batch to fill is given back by close, and a running batch finishes', async () => {
  await using rig = makeRig()
  const end = door()
  const done: number[] = []
  const [subscription] = await rig.bus.subscribe(
    onBatch(
      Tick,
      async (ticks) => {
        await end.opened
        done.push(...ticks.map(({ n }) => n))
      },
      { group: 'a', batch: { maxItems: 2, lingerMs: 60_000 } },
    ),
  )
  await rig.bus.publishMany(range(3).map((n) => Tick.of({ n })))
  await settle()
  const closing = subscription!.close()
  end.open()
  await closing
  expect(done).toEqual([0, 1])
  expect((await rig.transport.inspect('evt.rig.tick'))[0]).toMatchObject({ lag: 1, running: 0 })
})

test('the signal of a running batch tells of a close only at its deadline', async () => {
  await using rig = makeRig()
  let reason: unknown
  let outcome = 'running'
  const [subscription] = await rig.bus.subscribe(
    onBatch(
      Tick,
      (_ticks, { signal }) =>
        new Promise<void>((_resolve, fail) =>
          signal.addEventListener('abort', () => {
            reason = signal.reason
            fail(reason)
          }),
        ),
      { group: 'a', batch: { maxItems: 2, lingerMs: 0 }, retry: { attempts: 1 } },
    ),
  )
  await rig.bus.publishMany(range(2).map((n) => Tick.of({ n })))
  await settle()
  const closing = subscription!.close({ deadlineMs: 1_000 }).then(() => {
    outcome = 'closed'
  })
  await rig.clock.advance(999)
  expect([outcome, reason]).toEqual(['running', undefined])
  await rig.clock.advance(1)
  await closing
  expect(reason).toMatchObject({ code: 'EVT_SHUTDOWN' })
  expect(rig.transport.deadLetters()).toEqual([])
  expect((await rig.transport.inspect('evt.rig.tick'))[0]).toMatchObject({ lag: 2, running: 0 })
})

test('the items of one batch have different keys, and a key waits until its batch is settled', async () => {
  await using rig = makeRig()
  const batches: string[][] = []
  const ends: (() => void)[] = []
  await rig.bus.subscribe(
    onBatch(
      Keyed,
      (all) => {
        batches.push(all.map(({ n, key }) => `${key}${n}`))
        return new Promise<void>((resolve) => ends.push(resolve))
      },
      { group: 'a', concurrency: 2, batch: { maxItems: 2, lingerMs: 0 } },
    ),
  )
  await rig.bus.publishMany([1, 2].flatMap((n) => [Keyed.of({ n, key: 'x' }), Keyed.of({ n, key: 'y' })]))
  await rig.clock.advance(100)
  expect(batches).toEqual([['x1', 'y1']])
  ends[0]!()
  await rig.clock.advance(100)
  expect(batches).toEqual([
    ['x1', 'y1'],
    ['x2', 'y2'],
  ])
})

test('middleware runs around every item of a batch', async () => {
  await using rig = makeRig()
  const outcomes: string[] = []
  await rig.bus.subscribe(
    onBatch(Tick, (ticks) => Promise.allSettled(ticks.map(async ({ n }) => (n === 1 ? reject('no') : n))), {
      group: 'a',
      batch: { maxItems: 3, lingerMs: 0 },
      use: [
        {
          name: 'ledger',
          async consume(delivery, next) {
            const outcome = await next()
            outcomes.push(`${(delivery.payload as { n: number }).n}:${outcome.status}`)
            return outcome
          },
        },
      ],
    }),
  )
  await rig.bus.publishMany(range(3).map((n) => Tick.of({ n })))
  await settle()
  expect(outcomes.sort()).toEqual(['0:ack', '1:reject', '2:ack'])
})
