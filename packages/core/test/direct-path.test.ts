import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Bus,
  type BusOptions,
  createBus,
  defineEvent,
  isEvtError,
  type MemoryTransport,
  type MemoryTransportOptions,
  memoryTransport,
  reject,
  retry,
  silentLogger,
  type,
} from '../src/index.ts'

interface Numbered {
  readonly n: number
}
const Tick = defineEvent('tick', { schema: type<Numbered>() })
const Tock = defineEvent('tock', { schema: type<Numbered>() })
const quick = { attempts: 3, backoff: { minMs: 1, maxMs: 1 } }

function direct(
  options: MemoryTransportOptions = {},
  more: Partial<BusOptions> = {},
): { bus: Bus; transport: MemoryTransport } {
  const transport = memoryTransport({ confirm: 'settled', byReference: true, ...options })
  const bus = createBus({ service: 's', transport, logger: silentLogger, ...(more as object) })
  return { bus, transport }
}
function until(condition: () => boolean, deadlineMs = 5_000): Promise<void> {
  const endMs = Date.now() + deadlineMs
  return new Promise((resolve, fail) => {
    const look = () => {
      if (condition()) resolve()
      else if (Date.now() > endMs) fail(new Error('the condition did not come true'))
      else setImmediate(look)
    }
    look()
  })
}
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
const error = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )

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

test('a handler that fails is run again with its attempts, and publish resolves once it has succeeded', async () => {
  const { bus } = direct()
  await using _ = bus
  const attempts: number[] = []
  const subscription = await bus.subscribe(
    Tick,
    async (_tick, { attempt }) => {
      attempts.push(attempt)
      if (attempt < 3) throw new Error('again')
    },
    { group: 'a', retry: quick },
  )
  await bus.publish(Tick, { n: 1 })
  expect(attempts).toEqual([1, 2, 3])
  expect(subscription.stats()).toMatchObject({ received: 1, retried: 2, acknowledged: 1, inFlight: 0, held: 0 })
})

test('a retry that goes through the transport keeps its attempt', async () => {
  const { bus } = direct()
  await using _ = bus
  const attempts: number[] = []
  await bus.subscribe(
    Tick,
    (_tick, { attempt }) => {
      attempts.push(attempt)
      if (attempt < 3) retry('later', { afterMs: 5 })
    },
    { group: 'a', holdMs: 0 },
  )
  await bus.publish(Tick, { n: 1 })
  expect(attempts).toEqual([1, 2, 3])
})

test('a rejected message is dead-lettered with its reason before publish resolves', async () => {
  const { bus, transport } = direct()
  await using _ = bus
  await bus.subscribe(Tick, async () => reject(new Error('never')), { group: 'a' })
  await bus.publish(Tick, { n: 1 })
  expect(Buffer.from(transport.deadLetters()[0]!.payload).toString()).toBe('{"n":1}')
  expect(transport.deadLetters()).toMatchObject([
    { consumer: 's/a', position: expect.stringMatching(/^\d+$/), reason: 'never' },
  ])
  expect(transport.deadLetters()[0]!.headers).toMatchObject({ 'ce-type': 'tick', 'ce-source': '/s' })
})

test('a handler over its timeout is aborted and run again', async () => {
  const { bus } = direct()
  await using _ = bus
  const reasons: unknown[] = []
  const subscription = await bus.subscribe(
    Tick,
    async (_tick, { attempt, signal }) => {
      if (attempt > 1) return
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      reasons.push(signal.reason)
    },
    { group: 'a', timeoutMs: 20, retry: quick },
  )
  await bus.publish(Tick, { n: 1 })
  expect(reasons.map((reason) => isEvtError(reason, 'EVT_HANDLER_TIMEOUT'))).toEqual([true])
  expect(subscription.stats()).toMatchObject({ timedOut: 1, retried: 1, acknowledged: 1 })
})

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

test('a paused subscription starts nothing, and resuming it delivers what came meanwhile', async () => {
  const { bus, transport } = direct()
  await using _ = bus
  let handled = 0
  const subscription = await bus.subscribe(
    Tick,
    async () => {
      handled += 1
    },
    { group: 'a' },
  )
  subscription.pause()
  const publishing = Promise.all([1, 2].map((n) => bus.publish(Tick, { n })))
  expect([handled, (await transport.inspect('evt.tick'))[0]!.lag]).toEqual([0, 2])
  subscription.resume()
  await publishing
  expect(handled).toBe(2)
})

test('closing waits for what runs, starts nothing more, and leaves the rest to the next subscription', async () => {
  const { bus, transport } = direct()
  await using _ = bus
  const slow = gate()
  const seen: number[] = []
  const handler = async ({ n }: Numbered) => {
    await slow.opened
    seen.push(n)
  }
  const first = await bus.subscribe(Tick, handler, { group: 'a', concurrency: 2 })
  const publishing = Promise.all([1, 2, 3, 4].map((n) => bus.publish(Tick, { n })))
  expect(first.stats().inFlight).toBe(2)
  expect((await transport.inspect('evt.tick'))[0]).toMatchObject({ running: 2, lag: 2 })
  const closing = first.close()
  slow.open()
  await closing
  expect(seen).toEqual([1, 2])
  await bus.subscribe(Tick, handler, { group: 'a', concurrency: 2 })
  await publishing
  expect(seen).toEqual([1, 2, 3, 4])
})

test('what still runs when the deadline of a close has passed is handed to the next as a suspect', async () => {
  const { bus, transport } = direct()
  await using _ = bus
  const never = gate()
  const attempts: number[] = []
  const handler = (_tick: Numbered, { fence }: { readonly fence: bigint }) => {
    attempts.push(Number(fence))
    return attempts.length === 1 ? never.opened : undefined
  }
  const first = await bus.subscribe(Tick, handler, { group: 'a' })
  const publishing = bus.publish(Tick, { n: 1 })
  await first.close({ deadlineMs: 0 })
  expect((await transport.inspect('evt.tick'))[0]).toMatchObject({ running: 0, lag: 1 })
  await bus.subscribe(Tick, handler, { group: 'a' })
  await publishing
  expect(attempts).toEqual([1, 2])
  never.open()
}, 10_000)

test('a publish that is not settled in time rejects as unknown, and so does one that the bus closes over', async () => {
  const { bus } = direct({}, { publishTimeoutMs: 30 })
  const never = gate()
  await bus.subscribe(Tick, () => never.opened, { group: 'a' })
  expect(isEvtError(await error(bus.publish(Tick, { n: 1 })), 'EVT_PUBLISH_UNKNOWN')).toBe(true)
  const { bus: closing } = direct()
  await closing.subscribe(Tick, () => never.opened, { group: 'a' })
  const publishing = error(closing.publish(Tick, { n: 1 }))
  await closing.close({ deadlineMs: 0 })
  expect(isEvtError(await publishing, 'EVT_PUBLISH_UNKNOWN')).toBe(true)
  expect(isEvtError(await error(closing.publish(Tick, { n: 2 })), 'EVT_BUS_CLOSED')).toBe(true)
  never.open()
  await bus.close()
}, 10_000)

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

test('a payload that cannot be encoded is refused on this path too', async () => {
  const { bus } = direct({ byReference: false })
  await using _ = bus
  let handled = 0
  await bus.subscribe(
    Tick,
    () => {
      handled += 1
    },
    { group: 'a' },
  )
  const circular: { n: number; self?: unknown } = { n: 1 }
  circular.self = circular
  expect(isEvtError(await error(bus.publish(Tick, circular)), 'EVT_CODEC_ENCODE')).toBe(true)
  await bus.publish(Tick, { n: 1 })
  expect(handled).toBe(1)
})

test('a keyed message that is accepted has begun, so that a close right behind it waits for its handler', async () => {
  const Keyed = defineEvent('keyed', { schema: type<Numbered>(), key: ({ n }) => String(n) })
  const { bus } = direct({ confirm: 'accepted' })
  const seen: number[] = []
  const handler = async ({ n }: Numbered) => {
    await new Promise((resolve) => setImmediate(resolve))
    seen.push(n)
  }
  await bus.subscribe(Keyed, handler, { group: 'a' })
  await bus.publish(Keyed, { n: 1 })
  await bus.close()
  expect(seen).toEqual([1])
})

test('a message that fails holds back its own key until it has succeeded, and no other key', async () => {
  const Keyed = defineEvent('keyed', { schema: type<Numbered>(), key: ({ n }) => (n % 2 === 0 ? 'even' : 'odd') })
  const { bus } = direct()
  await using _ = bus
  const seen: string[] = []
  const handler = async ({ n }: Numbered, { attempt }: { readonly attempt: number }) => {
    seen.push(`${n} ${attempt}`)
    if (n === 2 && attempt < 3) throw new Error('again')
  }
  await bus.subscribe(Keyed, handler, { group: 'a', retry: quick })
  await Promise.all([1, 2, 3, 4, 6].map((n) => bus.publish(Keyed, { n })))
  const of = (key: number) => seen.filter((run) => Number(run.split(' ')[0]) % 2 === key)
  expect(of(0)).toEqual(['2 1', '2 2', '2 3', '4 1', '6 1'])
  expect(of(1)).toEqual(['1 1', '3 1'])
  expect(seen.indexOf('3 1')).toBeLessThan(seen.indexOf('2 3'))
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
