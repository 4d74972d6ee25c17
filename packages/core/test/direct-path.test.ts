import { AsyncLocalStorage } from 'node:async_hooks'
import { defineEvent, type } from '../src/index.ts'
import { direct, quick, Tick, Tock, until } from './direct-rig.ts'

test('an awaited publish has run its handler, which got the very object that was published', async () => {
  const { bus } = direct()
  await using _ = bus
  const seen: unknown[] = []
  await bus.subscribe(Tick, async (tick, { id, type, attempt }) => void seen.push([tick, id, type, attempt]), {
    group: 'a',
  })
  const payload = { n: 1 }
  await bus.publish(Tick, { n: 0 })
  const { id, via } = await bus.publish(Tick, payload)
  expect([via, seen.length]).toEqual(['transport', 2])
  expect(seen[1]).toEqual([payload, id, 'tick', 1])
  expect((seen[1] as unknown[])[0]).toBe(payload)
})

test('a delivery that nobody looked at tells time, source, position and metadata all the same', async () => {
  const { bus } = direct()
  await using _ = bus
  const seen: unknown[] = []
  const positions: string[] = []
  await bus.subscribe(
    Tick,
    (_tick, { source, time, position, metadata, key, correlationId, id, fence, causationId }) => {
      seen.push({ source, metadata: { ...metadata }, key, fence, causationId })
      positions.push(position)
      expect(correlationId).toBe(id)
      expect(Math.abs(time.getTime() - Date.now())).toBeLessThan(60_000)
    },
    { group: 'a' },
  )
  await bus.publish(Tick, { n: 0 })
  await bus.publish(Tick, { n: 1 })
  const plain = { source: '/s', metadata: {}, key: undefined, fence: 1n, causationId: undefined }
  expect(seen).toEqual([plain, plain])
  expect(Number(positions[1])).toBe(Number(positions[0]) + 1)
})

test('a handler may publish its own event 20,000 times in a chain', async () => {
  const { bus } = direct()
  await using _ = bus
  let last = 0
  await bus.subscribe(
    Tick,
    ({ n }, delivery) => {
      last = n
      if (n < 20_000) void delivery.publish(Tick, { n: n + 1 })
    },
    { group: 'a', concurrency: 1_000_000 },
  )
  await bus.publish(Tick, { n: 1 })
  await until(() => last === 20_000, 30_000)
})

test('two events whose handlers publish each other without awaiting do not grow the stack', async () => {
  const { bus } = direct()
  await using _ = bus
  let last = 0
  const next = (n: number) => {
    last = n
    if (n < 20_000) void bus.publish(n % 2 === 0 ? Tick : Tock, { n: n + 1 })
  }
  await bus.subscribe(Tick, ({ n }) => next(n), { group: 'a', concurrency: 1_000_000 })
  await bus.subscribe(Tock, ({ n }) => next(n), { group: 'a', concurrency: 1_000_000 })
  await bus.publish(Tick, { n: 1 })
  await until(() => last === 20_000, 30_000)
})

test('messages a handler returns are published before publish resolves', async () => {
  const { bus } = direct()
  await using _ = bus
  const seen: unknown[] = []
  await bus.subscribe(Tick, async ({ n }) => Tock.of({ n }), { group: 'a' })
  await bus.subscribe(Tock, ({ n }, { causationId }) => void seen.push([n, causationId]), { group: 'b' })
  const { id } = await bus.publish(Tick, { n: 7 })
  expect(seen).toEqual([[7, id]])
})

test('a handler runs in the context of its subscription, not in that of a publisher, such as its transaction', async () => {
  const { bus } = direct()
  await using _ = bus
  const context = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  await context.run('subscriber', () =>
    bus.subscribe(
      Tick,
      async ({ n }, { attempt }) => {
        seen.push(context.getStore())
        await new Promise((resolve) => setImmediate(resolve))
        seen.push(context.getStore())
        if (n === 1 && attempt === 1) throw new Error('again')
      },
      { group: 'a', retry: quick, concurrency: 1 },
    ),
  )
  await context.run('publisher', () => Promise.all([0, 1, 2].map((n) => bus.publish(Tick, { n }))))
  expect(seen).toEqual(Array.from({ length: 8 }, () => 'subscriber'))
})

test('a payload that is undefined arrives', async () => {
  const Nothing = defineEvent('nothing', { schema: type<void>() })
  const { bus } = direct()
  await using _ = bus
  let handled = 0
  await bus.subscribe(
    Nothing,
    () => {
      handled += 1
    },
    { group: 'a' },
  )
  await bus.publish(Nothing, undefined)
  await bus.publish(Nothing, undefined)
  expect(handled).toBe(2)
})

test('a replaced publish of a transport is the one that is called', async () => {
  const { bus, transport } = direct()
  await using _ = bus
  const { publish } = transport
  let called = 0
  transport.publish = (batch) => {
    called += 1
    return publish(batch)
  }
  await bus.subscribe(Tick, () => {}, { group: 'a' })
  await bus.publish(Tick, { n: 1 })
  expect(called).toBe(1)
})
