import { type Delivery, defineEvent, type } from '../src/index.ts'
import { door, Keyed, makeRig, range, steady, Tick, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'
import { watched } from './watched-transport.ts'

test('handlers run side by side, never more than the concurrency, and a slow one blocks nobody', async () => {
  // promise 15
  await using rig = makeRig()
  const ends = range(10).map(door)
  let running = 0
  let most = 0
  const subscription = await rig.bus.subscribe(
    Tick,
    async ({ n }) => {
      running += 1
      most = Math.max(most, running)
      await ends[n]!.opened
      running -= 1
    },
    { group: 'a', concurrency: 3 },
  )
  await rig.bus.publishMany(range(10).map((n) => Tick.of({ n })))
  await settle()
  expect([running, subscription.stats().inFlight]).toEqual([3, 3])
  for (const end of ends.slice(1)) end.open()
  await settle()
  expect([running, subscription.stats().acknowledged]).toEqual([1, 9])
  ends[0]!.open()
  await settle()
  expect(most).toBe(3)
})

test('a message is acknowledged when its work is done, not before', async () => {
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  const end = door()
  await rig.bus.subscribe(Tick, () => end.opened, { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(5_000)
  expect(watch.log).toEqual([])
  end.open()
  await settle()
  expect(watch.log).toEqual(['ack'])
})

test('a stalled consumer and 100,000 messages of 1 KB: what is fetched stays within prefetch, bytes and concurrency', async () => {
  // Promise 14
  const Blob = defineEvent('rig.blob', { schema: type<string>() })
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap, memory: { maxMessages: 5_000, overflow: 'dropNewest' } })
  let stalled = true
  const end = door()
  let done = 0
  await rig.bus.subscribe(
    Blob,
    async () => {
      if (stalled) await end.opened
      done += 1
    },
    { group: 'a', concurrency: 4, prefetch: 20, prefetchBytes: 8_192 },
  )
  const text = 'x'.repeat(1_000)
  for (let round = 0; round < 200; round += 1) await rig.bus.publishMany(range(500).map(() => Blob.of(text)))
  expect(rig.transport.dropped).toBe(95_000)
  expect(watch.held.size).toBeLessThanOrEqual(24)
  // 4 running, 8 KiB waiting, one batch that the last free byte let in.
  expect(watch.mostHeldBytes).toBeLessThanOrEqual((4 + 20) * 1_002)
  stalled = false
  end.open()
  while (done < 5_000) await settle()
  expect(watch.mostHeld).toBeLessThanOrEqual(2 * 20 + 2 * 4)
}, 30_000)

test('the byte bound holds where messages are large', async () => {
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  await rig.bus.subscribe(Tick, () => new Promise(() => {}), {
    group: 'a',
    concurrency: 1,
    prefetch: 100,
    prefetchBytes: 100,
  })
  await rig.bus.publishMany(range(100).map((n) => Tick.of({ n: n + 10 ** 14 })))
  // Long enough for one message at a time.
  for (const _turn of range(30)) await settle()
  expect(watch.mostHeldBytes).toBeLessThan(200)
})

test('a full group makes publishers wait, each in turn, until there is room', async () => {
  await using rig = makeRig({ memory: { maxMessages: 2 } })
  const ends: (() => void)[] = []
  const seen: number[] = []
  await rig.bus.subscribe(
    Tick,
    ({ n }) => {
      seen.push(n)
      return new Promise((resolve) => ends.push(resolve as () => void))
    },
    { group: 'a', concurrency: 1 },
  )
  let accepted = 0
  const all = range(6).map((n) =>
    rig.bus.publish(Tick, { n }).then(() => {
      accepted += 1
    }),
  )
  await settle()
  expect(accepted).toBe(2)
  for (const n of range(6)) {
    ends[n]!()
    await settle()
  }
  await Promise.all(all)
  expect(seen).toEqual(range(6))
})

test('publishes that wait for room are accepted in their order, whatever their size', async () => {
  const Sized = defineEvent('rig.sized', { schema: type<string>(), key: () => 'k' })
  await using rig = makeRig({ memory: { confirm: 'settled', maxBytes: 100 } })
  const seen: string[] = []
  const ends: (() => void)[] = []
  const handler = (text: string) => {
    seen.push(text[0]!)
    return new Promise<void>((resolve) => ends.push(resolve))
  }
  await rig.bus.subscribe(Sized, handler, { group: 'a', concurrency: 1 })
  const sizes = { a: 58, b: 28, c: 78, d: 8 }
  const all = Object.entries(sizes).map(([name, size]) => rig.bus.publish(Sized, name.repeat(size)))
  for (const index of range(4)) {
    await settle()
    ends[index]!()
  }
  await Promise.all(all)
  expect(seen).toEqual(['a', 'b', 'c', 'd'])
})

test('a handler may publish to its own event without a deadlock', async () => {
  await using rig = makeRig()
  const seen: number[] = []
  await rig.bus.subscribe(
    Tick,
    async ({ n }, delivery) => {
      seen.push(n)
      if (n < 50) await delivery.publish(Tick, { n: n + 1 })
    },
    { group: 'a', concurrency: 1 },
  )
  await rig.bus.publish(Tick, { n: 0 })
  await settle()
  await settle()
  expect(seen).toEqual(range(51))
})

test('a handler that publishes into its own full group is told so in time, and the messages are handled', async () => {
  await using rig = makeRig({ memory: { maxMessages: 2 }, bus: { publishTimeoutMs: 1_000 } })
  const full = door()
  const failures: string[] = []
  const seen: number[] = []
  const handler = async ({ n }: { readonly n: number }, delivery: Delivery) => {
    seen.push(n)
    if (n !== 1) return
    await full.opened
    await delivery.publish(Tick, { n: 3 }).catch(({ code }: { readonly code: string }) => failures.push(code))
  }
  const subscription = await rig.bus.subscribe(Tick, handler, { group: 'a', concurrency: 1 })
  await rig.bus.publishMany([1, 2].map((n) => Tick.of({ n })))
  full.open()
  await rig.clock.advance(999)
  expect([seen, failures]).toEqual([[1], []])
  await rig.clock.advance(1)
  expect([seen.slice(0, 2), failures]).toEqual([[1, 2], ['EVT_PUBLISH_UNKNOWN']])
  expect(subscription.stats()).toMatchObject({ timedOut: 0, retried: 0, inFlight: 0 })
})

test.each([
  ['dropOldest', [4, 5], 4],
  ['dropNewest', [0, 1], 4],
] as const)('overflow %s keeps its share and counts what it dropped', async (overflow, kept, dropped) => {
  await using rig = makeRig({ memory: { maxMessages: 2, overflow } })
  const seen: number[] = []
  const subscription = await rig.bus.subscribe(Tick, ({ n }) => void seen.push(n), { group: 'a' })
  subscription.pause()
  await subscription.close()
  await rig.bus.publishMany(range(6).map((n) => Tick.of({ n })))
  await rig.bus.subscribe(Tick, ({ n }) => void seen.push(n), { group: 'a' })
  await settle()
  expect([seen, rig.transport.dropped]).toEqual([kept, dropped])
})

test('workers of one group share the work evenly, two groups each get all of it', async () => {
  await using rig = makeRig()
  const worker = () => new Promise<void>((resolve) => setImmediate(resolve))
  const options = { group: 'a', concurrency: 2, prefetch: 2 }
  const workers = [await rig.bus.subscribe(Tick, worker, options), await rig.bus.subscribe(Tick, worker, options)]
  const other = await rig.bus.subscribe(Tick, () => {}, { group: 'b' })
  await rig.bus.publishMany(range(100).map((n) => Tick.of({ n })))
  const done = () => workers.map((each) => each.stats().acknowledged)
  while (done().reduce((sum, count) => sum + count) < 100) await settle()
  for (const count of done()) expect(count).toBeGreaterThan(30)
  expect(other.stats().acknowledged).toBe(100)
})

test('handlers of several groups share no metadata object', async () => {
  await using rig = makeRig()
  const seen: unknown[] = []
  for (const group of ['a', 'b'])
    await rig.bus.subscribe(
      Tick,
      (_tick, { metadata }) => {
        seen.push({ ...metadata })
        ;(metadata as Record<string, string>).note = 'changed'
      },
      { group },
    )
  await rig.bus.publish(Tick, { n: 1 }, { metadata: { note: 'original' } })
  await settle()
  expect(seen).toEqual([{ note: 'original' }, { note: 'original' }])
})

test('one key is handled in publish order without overlap, across retries, while other keys go on', async () => {
  // promise 16
  await using rig = makeRig()
  const log: string[] = []
  const running = new Set<string>()
  let overlaps = 0
  await rig.bus.subscribe(
    Keyed,
    async ({ n, key }, { attempt }) => {
      if (running.has(key!)) overlaps += 1
      running.add(key!)
      await new Promise((resolve) => setImmediate(resolve))
      running.delete(key!)
      if (n === 0 && attempt < 3) throw new Error('again')
      log.push(`${key}${n}`)
    },
    // Ordered messages wait in their lane, whatever may go through the transport otherwise.
    { group: 'a', concurrency: 8, holdMs: 0, retry: steady },
  )
  await rig.bus.publishMany(range(10).flatMap((n) => [Keyed.of({ n, key: 'x' }), Keyed.of({ n: n + 1, key: 'y' })]))
  await settle()
  await settle()
  await settle()
  expect(log.filter((entry) => entry.startsWith('x'))).toEqual([])
  expect(log.filter((entry) => entry.startsWith('y'))).toHaveLength(10)
  for (let step = 0; step < 20; step += 1) await rig.clock.advance(100)
  expect(log.filter((entry) => entry.startsWith('x'))).toEqual(range(10).map((n) => `x${n}`))
  expect(log.filter((entry) => entry.startsWith('y'))).toEqual(range(10).map((n) => `y${n + 1}`))
  expect(overlaps).toBe(0)
})

test('the key of a publish reaches the handler and orders its messages, also where the event has none of its own', async () => {
  await using rig = makeRig()
  const seen: [number, string | undefined][] = []
  await rig.bus.subscribe(
    Tick,
    ({ n }, { attempt, key }) => {
      if (n === 1 && attempt === 1) throw new Error('again')
      seen.push([n, key])
    },
    { group: 'a', ordered: 'process', retry: steady },
  )
  for (const n of [1, 2]) await rig.bus.publish(Tick, { n }, { key: 'k' })
  await rig.bus.publish(Tick, { n: 3 })
  await rig.clock.advance(1_000)
  expect(seen).toEqual([
    [3, undefined],
    [1, 'k'],
    [2, 'k'],
  ])
})

test("ordered: 'none' lets messages of one key overtake each other", async () => {
  await using rig = makeRig()
  const seen: number[] = []
  await rig.bus.subscribe(
    Keyed,
    ({ n }, { attempt }) => {
      if (n === 1 && attempt === 1) throw new Error('again')
      seen.push(n)
    },
    { group: 'a', ordered: 'none', retry: steady },
  )
  await rig.bus.publishMany([1, 2].map((n) => Keyed.of({ n })))
  await rig.clock.advance(1_000)
  expect(seen).toEqual([2, 1])
})

test('a held message keeps its lease as long as its handler runs', async () => {
  // Promise 15
  await using rig = makeRig()
  const end = door()
  let runs = 0
  const handler = () => {
    runs += 1
    return end.opened
  }
  await rig.bus.subscribe(Tick, handler, { group: 'a', leaseMs: 300, timeoutMs: 60_000 })
  await rig.bus.subscribe(Tick, handler, { group: 'a', leaseMs: 300, timeoutMs: 60_000 })
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(10_000)
  end.open()
  await settle()
  expect(runs).toBe(1)
})

test('a lost lease aborts the handler, and its settlement has no effect', async () => {
  // Promise 8
  const watch = watched()
  await using rig = makeRig({
    wrap: (memory) => {
      const transport = watch.wrap(memory)
      return {
        ...transport,
        consume: async (spec, events) => ({ ...(await transport.consume(spec, events)), extend: async (held) => held }),
      }
    },
  })
  const end = door()
  let reason: unknown
  const subscription = await rig.bus.subscribe(
    Tick,
    async (_tick, { signal }) => {
      signal.addEventListener('abort', () => {
        reason ??= signal.reason
      })
      await end.opened
    },
    { group: 'a', leaseMs: 300, concurrency: 1 },
  )
  const { id } = await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(200)
  end.open()
  await settle()
  expect(reason).toMatchObject({ code: 'EVT_LEASE_LOST', details: { messageId: id } })
  expect(subscription.stats()).toMatchObject({ lost: 1, acknowledged: 0 })
})

test('what waits behind messages of its key whose leases are lost goes back, and is handled behind them', async () => {
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      consume: async (spec, events) => {
        const consumer = await memory.consume(spec, events)
        let asked = 0
        // As after a standstill: what was read before it is lost, what came last is not.
        const extend: typeof consumer.extend = async (held) => {
          asked += 1
          if (asked > 1) return consumer.extend(held)
          const lost = held.slice(0, 2)
          await consumer.settle(lost.map((delivery) => ({ delivery, as: 'release', attempt: 1 })))
          return lost
        }
        return { ...consumer, extend }
      },
    }),
  })
  const seen: number[] = []
  const end = door()
  const handler = async ({ n }: { readonly n: number }) => {
    seen.push(n)
    await end.opened
  }
  const subscription = await rig.bus.subscribe(Keyed, handler, { group: 'a', leaseMs: 300 })
  await rig.bus.publishMany(range(3).map((n) => Keyed.of({ n })))
  await rig.clock.advance(110)
  end.open()
  await rig.clock.advance(1_000)
  expect(seen).toEqual([0, 0, 1, 2])
  expect(subscription.stats()).toMatchObject({ lost: 2, acknowledged: 3 })
})

test('groups begin at the earliest message, broadcasts at the latest, unless told otherwise', async () => {
  await using rig = makeRig()
  const seen: string[] = []
  await rig.bus.publish(Tock, { n: 1 })
  await rig.clock.advance(1_000)
  const later = new Date(rig.clock.nowMs())
  await rig.bus.publish(Tock, { n: 2 })
  const log =
    (name: string) =>
    ({ n }: { readonly n: number }) =>
      void seen.push(`${name}${n}`)
  await rig.bus.subscribe(Tock, log('group'), { group: 'a' })
  await rig.bus.subscribe(Tock, log('broadcast'), { mode: 'broadcast' })
  await rig.bus.subscribe(Tock, log('latest'), { group: 'b', startAt: 'latest' })
  await rig.bus.subscribe(Tock, log('date'), { group: 'c', startAt: later })
  let first = ''
  const note = (_tock: unknown, { position }: { readonly position: string }) => {
    first ||= position
  }
  await rig.bus.subscribe(Tock, note, { group: 'all' })
  await settle()
  await rig.bus.subscribe(Tock, log('position'), { group: 'd', startAt: { position: first } })
  await settle()
  expect(seen.sort()).toEqual(['date2', 'group1', 'group2', 'position2'])
  await rig.bus.publish(Tock, { n: 3 })
  await settle()
  expect(seen.filter((entry) => entry.endsWith('3'))).toHaveLength(5)
})
