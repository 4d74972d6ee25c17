import { isEvtError, silentLogger } from '@evt/core'
import { eventually, failureOf, gate } from '@evt/core/conformance'
import type { OutboxRow } from '../src/index.ts'
import { manualClock } from './manual-clock.ts'
import { failing, fixture } from './relay-fixture.ts'

const empty = async (store: ReturnType<typeof fixture>['store']) => (await store.count()).waiting === 0
const independent = () =>
  ({ durability: 'broker', publishOrder: 'independent', confirms: 'accepted', maxMessageBytes: 1e6 }) as const

test('a row deleted while a read that saw it is under way is not published again', async () => {
  const [asked, answer] = [gate(), gate()]
  let reads = 0
  const { store, relay, published, write, start } = fixture({
    wrap: (inner) => ({
      ...inner,
      async read(range) {
        const rows = await inner.read(range)
        reads += 1
        if (reads !== 2) return rows
        asked.open()
        await answer.opened
        return rows
      },
    }),
  })
  const handled = gate()
  start(([message]) => (message!.headers.text === 'a' ? handled.opened.then(() => []) : []), { confirms: 'settled' })
  await write('a')
  await eventually(() => published().length === 1, 'the first is under way')
  await write('b')
  relay.wake()
  await asked.opened
  handled.open()
  await eventually(async () => (await store.count()).waiting === 1, 'the first is deleted')
  answer.open()
  await eventually(() => empty(store), 'everything is published')
  expect(published()).toEqual(['a', 'b'])
  await relay.stop()
})

test('the outage of one transport holds up no other, touches no row, and costs few calls', async () => {
  const clock = manualClock()
  const { store, relay, calls, published, write, start } = fixture({ pollMs: 1_000, batch: 10 })
  let down = true
  const rows = Array.from(
    { length: 200 },
    (_v, n) => [`d${n}`, { transport: 'down', key: `k${n}` }] as [string, object],
  )
  await write(...rows)
  start(
    (batch, transport) =>
      down && transport === 'down'
        ? batch.map((_message, index) => ({ index, outcome: 'unavailable', error: new Error('down') }))
        : [],
    { clock, transports: ['main', 'down'] },
  )
  await clock.advance(10)
  for (let n = 0; n < 60; n += 1) {
    await write(`m${n}`)
    relay.wake()
    await clock.advance(1_000)
    expect(published().length).toBe(n + 1)
  }
  expect(await store.count()).toEqual({ waiting: 200, parked: 0 })
  expect(calls.filter((call) => call.transport === 'down').length).toBeLessThan(50)
  expect(relay.health().status).toBe('degraded')
  down = false
  calls.length = 0
  await clock.advance(15_000)
  expect(published('down')).toEqual(rows.map(([text]) => text))
  expect(await empty(store)).toBe(true)
  expect(relay.health().status).toBe('healthy')
  await relay.stop()
})

test('a transport that never answers holds up no other', async () => {
  const { store, relay, published, write, start } = fixture()
  const never = gate()
  start((_batch, transport) => (transport === 'stuck' ? never.opened.then(() => []) : []), {
    transports: ['main', 'stuck'],
  })
  await write(['s', { transport: 'stuck' }])
  for (const text of ['a1', 'a2', 'b1']) {
    await write(text)
    relay.wake()
    await eventually(() => published().includes(text), `${text} is published`)
  }
  never.open()
  await eventually(() => empty(store), 'what was stuck is published once the transport answers')
  await relay.stop()
})

test('health tells of a transport that has not answered for half a minute', async () => {
  const clock = manualClock()
  const { relay, write, start } = fixture({ pollMs: 1_000, leaseMs: 600_000 })
  const never = gate()
  await write('a1')
  start(() => never.opened.then(() => []), { clock })
  await clock.advance(29_000)
  expect(relay.health().status).toBe('healthy')
  await clock.advance(2_000)
  expect(relay.health()).toMatchObject({ status: 'degraded', reason: expect.stringContaining('main') })
  never.open()
  await clock.advance(1_000)
  expect(relay.health().status).toBe('healthy')
  await relay.stop()
})

test('health tells of a store that has not answered for half a minute', async () => {
  const clock = manualClock()
  let silent = false
  const { relay, start } = fixture({
    pollMs: 1_000,
    wrap: (inner) => ({ ...inner, lead: (...given) => (silent ? new Promise(() => {}) : inner.lead(...given)) }),
  })
  start(() => [], { clock })
  await clock.advance(10_000)
  silent = true
  await clock.advance(20_000)
  expect(relay.health()).toMatchObject({ status: 'healthy' })
  await clock.advance(20_000)
  expect(relay.health()).toMatchObject({
    status: 'degraded',
    reason: expect.stringMatching(/^the store has not answered for 3\d s$/),
  })
})

test('a transport that keeps nothing is warned of: what it was handed is deleted from the outbox', async () => {
  for (const [durability, confirms, warnings] of [
    ['broker', 'accepted', 0],
    ['process', 'settled', 0],
    ['process', 'accepted', 1],
    ['none', 'accepted', 1],
  ] as const) {
    const { relay, start } = fixture()
    const warn = jest.fn()
    const supports = () => ({ durability, confirms, publishOrder: 'prefix', maxMessageBytes: 1e6 }) as const
    start(() => [], { supports, logger: { ...silentLogger, warn } })
    await relay.stop()
    expect(warn).toHaveBeenCalledTimes(warnings)
  }
})

test('rows whose transport the bus does not have are reported and left alone', async () => {
  const { store, relay, published, write, start } = fixture()
  await write(['x', { transport: 'elsewhere' }], 'a')
  start()
  await eventually(() => relay.health().status === 'degraded', 'health says so')
  expect(relay.health().reason).toContain('elsewhere')
  expect(published()).toEqual(['a'])
  expect(await store.count()).toEqual({ waiting: 1, parked: 0 })
  await relay.stop()
})

test('a message whose fate is unknown is published again, before anything else of its key', async () => {
  const { store, relay, published, write, start } = fixture()
  let failures = 2
  await write('a1', 'a2', 'b1')
  start((batch) => (failures-- > 0 ? failing('unknown', 'a1')(batch) : []), { supports: independent })
  await eventually(() => empty(store), 'everything is published in the end')
  const ofA = published().filter((text) => text.startsWith('a'))
  expect(ofA).toEqual(['a1', 'a1', 'a1', 'a2'])
  await relay.stop()
})

test('a key that cannot be published does not slow the others down', async () => {
  const clock = manualClock()
  const { relay, published, write, start } = fixture({ pollMs: 1_000 })
  start(failing('unavailable', 'a1'), { clock, supports: independent })
  await write('a1', 'a2')
  relay.wake()
  await clock.advance(60_000)
  for (let n = 0; n < 5; n += 1) {
    await write(`b${n}`)
    relay.wake()
    await clock.advance(1)
    expect(published().at(-1)).toBe(`b${n}`)
  }
  expect(published()).not.toContain('a2')
  await relay.stop()
})

test('a refused message is put aside and its key goes on', async () => {
  const { store, relay, published, write, start } = fixture()
  await write('a1', 'a2')
  start(failing('refused', 'a1'))
  await eventually(() => empty(store), 'nothing waits')
  expect(await store.count()).toEqual({ waiting: 0, parked: 1 })
  expect(published()).toEqual(['a1', 'a2'])
  await relay.stop()
})

test('a refused message that cannot be put aside makes no duplicates of those accepted with it', async () => {
  const clock = manualClock()
  const { store, relay, published, write, start } = fixture({
    wrap: (inner) => ({ ...inner, park: () => Promise.reject(new Error('permission denied')) }),
  })
  await write('a1', 'b1', 'c1')
  start(failing('refused', 'b1'), { clock })
  await clock.advance(60_000)
  expect(published().filter((text) => text !== 'b1')).toEqual(['a1', 'c1'])
  expect(published().filter((text) => text === 'b1').length).toBeGreaterThan(1)
  expect(await store.count()).toEqual({ waiting: 1, parked: 0 })
  expect(relay.health()).toMatchObject({ status: 'degraded', reason: 'permission denied' })
})

test('with onRefused "block" a refused message holds its key, and only that', async () => {
  const { relay, published, write, start } = fixture({ onRefused: 'block' })
  await write('a1', 'a2', 'b1', 'b2')
  start(failing('refused', 'a1'))
  await eventually(
    () => published().includes('b2') && published().filter((text) => text === 'a1').length > 2,
    'b goes on',
  )
  expect(published()).not.toContain('a2')
  await relay.stop()
})

test('a row that cannot be read is put aside and holds up nothing', async () => {
  const { store, relay, published, write, start } = fixture({
    wrap: (inner) => ({
      ...inner,
      read: async (range) =>
        (await inner.read(range)).map(
          (row): OutboxRow =>
            row.message?.headers.text === 'a1' ? { ...row, message: undefined, unreadable: 'broken' } : row,
        ),
    }),
  })
  await write('a1', 'a2', 'b1')
  start()
  await eventually(() => empty(store), 'nothing waits')
  expect(published()).toEqual(['a2', 'b1'])
  expect(await store.count()).toEqual({ waiting: 0, parked: 1 })
  await relay.stop()
})

test('where a transport may accept parts of a batch, a key has at most one message under way', async () => {
  const { store, relay, calls, published, write, start } = fixture()
  await write('a1', 'a2', 'b1', 'a3', 'b2', ['n1', { key: undefined }], ['n2', { key: undefined }])
  start(() => [], { supports: independent })
  await eventually(() => empty(store), 'everything is published')
  expect(calls.map((call) => call.texts.join())).toEqual(['a1,b1,n1,n2', 'a2,b2', 'a3'])
  expect(published().length).toBe(7)
  await relay.stop()
})

test('where a transport confirms when handled, a window of 512 rows is under way and none is published twice', async () => {
  const { store, relay, published, write, start } = fixture({ batch: 100 })
  const handled = gate()
  await write(...Array.from({ length: 700 }, (_v, n): [string, object] => [`m${n}`, { key: `k${n % 50}` }]))
  start(() => handled.opened.then(() => []), { confirms: 'settled' })
  await eventually(() => published().length === 512, 'the window fills')
  for (let n = 0; n < 20; n += 1) {
    relay.wake()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(published().length).toBe(512)
  handled.open()
  await eventually(() => empty(store), 'everything is published')
  expect(published()).toEqual(Array.from({ length: 700 }, (_v, n) => `m${n}`))
  await relay.stop()
})

test('where a transport confirms when handled, a message that fails stops what comes behind it in its key', async () => {
  const { store, relay, published, write, start } = fixture()
  const fail = gate()
  let runs = 0
  start(
    ([message]) => {
      if (message!.headers.text !== 'a1' || runs++ > 0) return []
      return fail.opened.then(() => [{ index: 0, outcome: 'unavailable', error: new Error('full') }])
    },
    { confirms: 'settled' },
  )
  await write('a1')
  await eventually(() => published().length === 1, 'the first is under way')
  fail.open()
  await eventually(() => relay.health().status === 'degraded', 'the first has failed')
  await write('a2', 'b1')
  relay.wake()
  await eventually(() => empty(store), 'everything is published')
  expect(published().filter((text) => text.startsWith('a'))).toEqual(['a1', 'a1', 'a2'])
  await relay.stop()
})

test('where a transport confirms when handled, a failure stops its key within the page under way too', async () => {
  const { store, relay, published, write, start } = fixture()
  const [fail, handled] = [gate(), gate()]
  let runs = 0
  const others = Array.from({ length: 511 }, (_v, n): [string, object] => [`m${n}`, { key: `k${n}` }])
  await write('a1', ...others, 'a2')
  start(
    ([message]) => {
      if (message!.headers.text !== 'a1') return message!.headers.text === 'a2' ? [] : handled.opened.then(() => [])
      if (runs++ > 0) return []
      return fail.opened.then(() => [{ index: 0, outcome: 'unavailable', error: new Error('full') }])
    },
    { confirms: 'settled' },
  )
  await eventually(() => published().length === 512, 'the window fills')
  fail.open()
  await eventually(() => relay.health().status === 'degraded', 'the first has failed')
  handled.open()
  await eventually(() => empty(store), 'everything is published')
  expect(published().filter((text) => text.startsWith('a'))).toEqual(['a1', 'a1', 'a2'])
  await relay.stop()
})

test.each([
  { publishOrder: 'prefix', batch: 1 },
  { publishOrder: 'independent', batch: 10 },
] as const)(
  'a relay that loses its lead in the middle of a burst begins no further call ($publishOrder)',
  async (each) => {
    const { store, relay, calls, published, write, start } = fixture({ batch: each.batch, leaseMs: 100 })
    const hang = gate()
    await write('a1', 'a2', 'a3')
    const supports = () =>
      ({ durability: 'broker', publishOrder: each.publishOrder, confirms: 'accepted', maxMessageBytes: 1e6 }) as const
    start(() => hang.opened.then(() => []), { supports })
    await eventually(() => calls.length === 1, 'the first call is under way')
    // Blocks the event loop for longer than the lease, as a long garbage collection does.
    for (const untilMs = performance.now() + 150; performance.now() < untilMs; );
    hang.open()
    await new Promise((resolve) => process.nextTick(resolve))
    expect(await store.lead('other', 60_000)).not.toBeNull()
    await relay.stop()
    expect(published()).toEqual(['a1'])
    expect((await store.count()).waiting).toBe(2)
  },
)

test('a relay that dies between publishing and deleting publishes again, in order', async () => {
  const holder = Symbol.for('evt.crashPoint')
  const registry = globalThis as { [holder]?: ((name: string) => void) | undefined }
  const { store, relay, published, write, start } = fixture()
  await write('a1', 'a2')
  const died: string[] = []
  registry[holder] = (name) => {
    if (died.includes(name)) return
    died.push(name)
    throw new Error('died here')
  }
  try {
    start()
    await eventually(() => empty(store), 'everything is published in the end')
    await relay.stop()
  } finally {
    registry[holder] = undefined
  }
  expect(died).toEqual(['outbox.led', 'outbox.published', 'outbox.deleted'])
  expect(published()).toEqual(['a1', 'a2', 'a1', 'a2'])
})

test('an idle relay asks its store one question a second, whether it leads or stands by', async () => {
  for (const leads of [true, false]) {
    const clock = manualClock()
    let questions = 0
    const counted =
      <Arguments extends unknown[], Result>(ask: (...given: Arguments) => Result) =>
      (...given: Arguments) => {
        questions += 1
        return ask(...given)
      }
    const { relay, start } = fixture({
      pollMs: 1_000,
      wrap: (inner) => ({
        ...inner,
        lead: counted(async (owner, leaseMs) => (leads ? inner.lead(owner, leaseMs) : null)),
        bound: counted(inner.bound),
        read: counted(inner.read),
        delete: counted(inner.delete),
      }),
    })
    start(() => [], { clock })
    await clock.advance(60_000)
    expect(questions).toBeGreaterThan(55)
    expect(questions).toBeLessThanOrEqual(61)
    await relay.stop()
  }
})

test('stop awaits what is under way, begins nothing more, and gives the lead back', async () => {
  const { store, relay, published, write, start } = fixture({ batch: 1 })
  const hang = gate()
  await write('a1', 'a2')
  start(() => hang.opened.then(() => []))
  await eventually(() => published().length === 1, 'the first is under way')
  let stopped = false
  const stopping = relay.stop().then(() => {
    stopped = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(stopped).toBe(false)
  hang.open()
  await stopping
  expect(published()).toEqual(['a1'])
  expect((await store.count()).waiting).toBe(1)
  expect(await store.lead('other', 1_000)).not.toBeNull()
})

describe('drain', () => {
  test('publishes everything that waits and tells how much', async () => {
    const { relay, write, attach } = fixture({ batch: 2 })
    await write('a1', 'a2', 'b1', 'a3', 'c1')
    attach()
    expect(await relay.drain({ budgetMs: 5_000 })).toEqual({ published: 5, remaining: 0 })
    expect(await relay.drain({ budgetMs: 5_000 })).toEqual({ published: 0, remaining: 0 })
  })
  test('begins nothing once its budget is spent, and leaves the rest for later', async () => {
    const clock = manualClock()
    const { relay, write, attach } = fixture({ batch: 1 })
    await write('a1', 'a2', 'a3')
    attach(() => clock.advance(60).then(() => []), { clock })
    const spent = await relay.drain({ budgetMs: 100 })
    expect(spent).toEqual({ published: 2, remaining: 1 })
    expect((await relay.drain({ budgetMs: 1_000 })).remaining).toBe(0)
  })
  test('ends when its signal aborts', async () => {
    const { relay, write, attach } = fixture({ batch: 1 })
    await write('a1', 'a2', 'a3')
    const controller = new AbortController()
    attach(() => {
      controller.abort()
      return []
    })
    expect(await relay.drain({ budgetMs: 60_000, signal: controller.signal })).toEqual({ published: 1, remaining: 2 })
  })
  test('returns at an abort even though a transport never answers, and goes on another time', async () => {
    const { relay, write, attach } = fixture({ batch: 1 })
    await write('a1', 'a2')
    const controller = new AbortController()
    const hang = gate()
    attach(() => {
      controller.abort()
      return hang.opened.then(() => [])
    })
    expect(await relay.drain({ budgetMs: 60_000, signal: controller.signal })).toEqual({ published: 0, remaining: 2 })
    hang.open()
    await eventually(async () => (await relay.drain({ budgetMs: 5_000 })).remaining === 0, 'the rest is published')
  })
  test('waits for a transport that confirms when handled', async () => {
    const { relay, write, attach } = fixture()
    await write('a1', 'b1')
    attach(() => new Promise((resolve) => setImmediate(() => resolve([]))), { confirms: 'settled' })
    expect(await relay.drain({ budgetMs: 5_000 })).toEqual({ published: 2, remaining: 0 })
  })
  test('publishes nothing while another relay leads, and stops at a transport that is down', async () => {
    const { store, relay, write, attach } = fixture()
    await write('a1', 'b1')
    attach(failing('unavailable', 'a1', 'b1'))
    expect(await relay.drain({ budgetMs: 60_000 })).toEqual({ published: 0, remaining: 2 })
    await store.lead('other', 60_000)
    expect(await relay.drain({ budgetMs: 60_000 })).toEqual({ published: 0, remaining: 2 })
  })
  test('before the outbox belongs to a bus it is EVT_OUTBOX_NOT_STARTED', async () => {
    expect(isEvtError(await failureOf(fixture().relay.drain({ budgetMs: 1 })), 'EVT_OUTBOX_NOT_STARTED')).toBe(true)
  })
})
