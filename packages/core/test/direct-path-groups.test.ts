import { defineEvent, type } from '../src/index.ts'
import { direct, gate, type Numbered, Tick, until } from './direct-rig.ts'

test('no more handlers run than the concurrency says, and what waits comes when one ends', async () => {
  const { bus } = direct()
  await using _ = bus
  let running = 0
  let most = 0
  await bus.subscribe(
    Tick,
    async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
    },
    { group: 'a', concurrency: 3 },
  )
  await Promise.all(Array.from({ length: 50 }, (_value, n) => bus.publish(Tick, { n })))
  expect([most, running]).toEqual([3, 0])
})

test('publish waits for the slowest group, and a slow group holds up no other', async () => {
  const { bus } = direct()
  await using _ = bus
  const slow = gate()
  let fast = 0
  let done = false
  await bus.subscribe(Tick, () => slow.opened, { group: 'slow', concurrency: 1 })
  await bus.subscribe(
    Tick,
    () => {
      fast += 1
    },
    { group: 'fast' },
  )
  const publishing = Promise.all([0, 1, 2].map((n) => bus.publish(Tick, { n }))).then(() => {
    done = true
  })
  await until(() => fast === 3)
  expect(done).toBe(false)
  slow.open()
  await publishing
})

test('a broadcast gets every message, and publish does not wait for it', async () => {
  const { bus } = direct()
  await using _ = bus
  const slow = gate()
  const seen = { group: 0, broadcast: 0 }
  await bus.subscribe(
    Tick,
    () => {
      seen.group += 1
    },
    { group: 'a' },
  )
  await bus.subscribe(
    Tick,
    async () => {
      seen.broadcast += 1
      await slow.opened
    },
    { mode: 'broadcast' },
  )
  for (const n of [1, 2, 3]) await bus.publish(Tick, { n })
  expect(seen).toEqual({ group: 3, broadcast: 3 })
  slow.open()
})

test('workers of one group share the messages', async () => {
  const { bus } = direct()
  await using _ = bus
  let handled = 0
  const handler = async () => {
    handled += 1
  }
  const workers = [
    await bus.subscribe(Tick, handler, { group: 'a' }),
    await bus.subscribe(Tick, handler, { group: 'a' }),
  ]
  for (let n = 0; n < 10; n += 1) await bus.publish(Tick, { n })
  expect(handled).toBe(10)
  expect(workers.map((worker) => worker.stats().acknowledged)).toEqual([5, 5])
})

test('each group has its own turn: the workers of two groups each get their half', async () => {
  const { bus } = direct()
  await using _ = bus
  const handlers = { a: async () => {}, b: async () => {} }
  const workers = [
    await bus.subscribe(Tick, handlers.a, { group: 'a' }),
    await bus.subscribe(Tick, handlers.b, { group: 'b' }),
    await bus.subscribe(Tick, handlers.a, { group: 'a' }),
    await bus.subscribe(Tick, handlers.b, { group: 'b' }),
  ]
  for (let n = 0; n < 10; n += 1) await bus.publish(Tick, { n })
  expect(workers.map((worker) => worker.stats().acknowledged)).toEqual([5, 5, 5, 5])
})

test('a message published by a handler reaches an ordered group behind the one that caused it', async () => {
  const Keyed = defineEvent('keyed', { schema: type<Numbered>(), key: () => 'k' })
  const { bus } = direct()
  await using _ = bus
  const seen: number[] = []
  await bus.subscribe(
    Keyed,
    ({ n }) => {
      if (n < 5) void bus.publish(Keyed, { n: n + 1 })
    },
    { group: 'a', ordered: 'none' },
  )
  await bus.subscribe(Keyed, ({ n }) => void seen.push(n), { group: 'b' })
  await bus.publish(Keyed, { n: 1 })
  await until(() => seen.length === 5)
  expect(seen).toEqual([1, 2, 3, 4, 5])
})

test('a group that comes later gets what was published before, from where it starts', async () => {
  const { bus } = direct({ maxMessages: 20 })
  await using _ = bus
  const positions: string[] = []
  await bus.subscribe(Tick, (_tick, { position }) => void positions.push(position), { group: 'a' })
  const ids: string[] = []
  for (let n = 1; n <= 50; n += 1) ids.push((await bus.publish(Tick, { n })).id)
  const seen = { all: [] as unknown[], behind: [] as number[] }
  await bus.subscribe(Tick, ({ n }, { id, position }) => void seen.all.push([n, id, position]), {
    group: 'all',
    concurrency: 1,
  })
  await bus.subscribe(Tick, ({ n }) => void seen.behind.push(n), {
    group: 'behind',
    startAt: { position: positions[47]! },
  })
  await until(() => seen.all.length === 20 && seen.behind.length === 2)
  expect(seen.all).toEqual(Array.from({ length: 20 }, (_value, at) => [at + 31, ids[at + 30], positions[at + 30]]))
  expect(seen.behind).toEqual([49, 50])
})

test('a full group makes publishers wait in their turn', async () => {
  const { bus } = direct({ maxMessages: 2, confirm: 'accepted' })
  await using _ = bus
  const slow = gate()
  const seen: number[] = []
  await bus.subscribe(
    Tick,
    async ({ n }) => {
      await slow.opened
      seen.push(n)
    },
    { group: 'a', concurrency: 1 },
  )
  let accepted = 0
  const publishing = [1, 2, 3, 4, 5].map((n) =>
    bus.publish(Tick, { n }).then(() => {
      accepted += 1
    }),
  )
  await until(() => accepted === 2)
  slow.open()
  await Promise.all(publishing)
  await until(() => seen.length === 5)
  expect(seen).toEqual([1, 2, 3, 4, 5])
})
