import { eventually, gate } from '@evt/core/conformance'
import type { OutboxRow } from '../src/index.ts'
import { manualClock } from './manual-clock.ts'
import { empty, failing, fixture } from './relay-fixture.ts'

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
