import { createBus, memoryTransport } from '../src/index.ts'
import { noRejectionIsLost } from './lost-rejections.ts'
import { door, failureOf, makeRig, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

noRejectionIsLost()

test('closing the bus is idempotent, closes every subscription and refuses what comes later by name', async () => {
  await using rig = makeRig()
  const subscription = await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  const once = rig.bus.close()
  expect(rig.bus.close()).toBe(once)
  await once
  expect(subscription.state).toBe('closed')
  expect((await failureOf(() => rig.bus.publish(Tick, { n: 1 }))).code).toBe('EVT_BUS_CLOSED')
  expect((await failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a' }))).code).toBe('EVT_BUS_CLOSED')
  expect((await rig.bus.health()).status).toBe('unhealthy')
})

test('a bus that was closed cannot be started or run, and opens nothing any more', async () => {
  const opened: string[] = []
  const bus = createBus({
    service: 's',
    transport: { ...memoryTransport(), open: async () => void opened.push('transport') },
    use: [{ name: 'm', start: async () => void opened.push('middleware') }],
  })
  await bus.close()
  expect((await failureOf(() => bus.start())).code).toBe('EVT_BUS_CLOSED')
  expect((await failureOf(() => bus.run())).code).toBe('EVT_BUS_CLOSED')
  expect(opened).toEqual([])
})

test('a transport that cannot close is what close rejects with, after everything else has closed', async () => {
  const stopped: string[] = []
  const close = () => Promise.reject(new Error('the connection is stuck'))
  const rig = makeRig({
    wrap: (memory) => ({ ...memory, close }),
    bus: { use: [{ name: 'm', stop: async () => void stopped.push('middleware') }] },
  })
  const subscription = await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  await expect(rig.bus.close()).rejects.toThrow('the connection is stuck')
  expect([subscription.state, stopped]).toEqual(['closed', ['middleware']])
  expect((await failureOf(() => rig.bus.publish(Tick, { n: 1 }))).code).toBe('EVT_BUS_CLOSED')
})

test('a transport that never opens does not keep close waiting past its deadline, and is closed if it opens after all', async () => {
  const opening = door()
  let closes = 0
  await using rig = makeRig({
    wrap: (transport) => ({
      ...transport,
      open: () => opening.opened,
      async close() {
        closes += 1
      },
    }),
  })
  const subscribing = failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a' }))
  const starting = rig.bus.start()
  const closing = rig.bus.close({ deadlineMs: 1_000 })
  await rig.clock.advance(10_000)
  await closing
  expect(closes).toBe(0)
  opening.open()
  await starting
  expect((await subscribing).code).toBe('EVT_BUS_CLOSED')
  expect(closes).toBe(1)
})

test('a subscribe that the bus closes over is refused and leaves nobody reading', async () => {
  const joined = door()
  let open = 0
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      async consume(spec, events) {
        await joined.opened
        const consumer = await memory.consume(spec, events)
        open += 1
        const close = () => {
          open -= 1
          return consumer.close()
        }
        return { ...consumer, close }
      },
    }),
  })
  const subscribing = failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a' }))
  await settle()
  const closing = rig.bus.close()
  await settle()
  joined.open()
  expect((await subscribing).code).toBe('EVT_BUS_CLOSED')
  await closing
  await settle()
  expect([open, rig.bus.describe().subscriptions]).toEqual([0, []])
})

test('a subscribe that the closing transport refuses is told that the bus has closed', async () => {
  const closed = door()
  const refusal = new Error('the connection has ended')
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      async declare() {
        await closed.opened
        throw refusal
      },
      close: async () => closed.open(),
    }),
  })
  const subscribing = failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a' }))
  await settle()
  const closing = rig.bus.close({ deadlineMs: 0 })
  await rig.clock.advance(1_000)
  expect(await subscribing).toMatchObject({ code: 'EVT_BUS_CLOSED', cause: refusal })
  await closing
})

test('what waits for middleware to start opens no transport once the bus has closed', async () => {
  const started = door()
  let opens = 0
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      async open() {
        opens += 1
      },
    }),
    bus: { use: [{ name: 'slow', start: () => started.opened }] },
  })
  const subscribing = failureOf(() => rig.bus.subscribe(Tick, () => {}, { group: 'a' }))
  const publishing = failureOf(() => rig.bus.publish(Tick, { n: 1 }))
  const closing = rig.bus.close()
  await settle()
  started.open()
  expect((await subscribing).code).toBe('EVT_BUS_CLOSED')
  await publishing
  await closing
  expect(opens).toBe(0)
})

test('a publish that waits for room ends when the bus closes, with a typed error', async () => {
  await using rig = makeRig({ memory: { maxMessages: 1 } })
  await rig.bus.subscribe(Tick, () => new Promise(() => {}), { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  const waiting = failureOf(() => rig.bus.publish(Tick, { n: 2 }))
  const closing = rig.bus.close({ deadlineMs: 100 })
  await rig.clock.advance(10_000)
  await closing
  expect((await waiting).code).toMatch(/^EVT_PUBLISH_(UNKNOWN|UNAVAILABLE)$/)
})

test('a bus that was started and closed says so to whoever starts or runs it again', async () => {
  const rig = makeRig()
  await rig.bus.start()
  await rig.bus.close()
  for (const again of [() => rig.bus.start(), () => rig.bus.run()])
    expect(await failureOf(again)).toMatchObject({ code: 'EVT_BUS_CLOSED' })
})
