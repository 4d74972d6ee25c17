import { silentLogger } from '@evt/core'
import { eventually, gate } from '@evt/core/conformance'
import { manualClock } from './manual-clock.ts'
import { empty, fixture } from './relay-fixture.ts'

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

test.each(['read', 'delete'] as const)(
  'health tells of a %s that is not answered while the lead is renewed',
  async (verb) => {
    const clock = manualClock()
    const { relay, write, start } = fixture({
      pollMs: 1_000,
      wrap: (inner) => ({ ...inner, [verb]: () => new Promise(() => {}) }),
    })
    await write('a1')
    start(() => [], { clock })
    await clock.advance(20_000)
    expect(relay.health()).toMatchObject({ status: 'healthy' })
    await clock.advance(20_000)
    expect(relay.health()).toMatchObject({ status: 'degraded', reason: expect.stringContaining('the store') })
  },
)

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
