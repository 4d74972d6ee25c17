import { createBus, defineEvent, memoryTransport, type Outbox, silentLogger, type Transport } from '../src/index.ts'
import { door, failureOf, makeRig, range, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

/** A memory transport that notes what it is asked for after its close. */
function noting(transport: Transport): { readonly transport: Transport; readonly late: string[] } {
  const late: string[] = []
  let closed = false
  const note = (what: string) => {
    if (closed) late.push(what)
  }
  return {
    late,
    transport: {
      ...transport,
      declare(topic) {
        note('declare')
        return transport.declare(topic)
      },
      publish(batch) {
        note('publish')
        return transport.publish(batch)
      },
      async consume(spec, events) {
        note('consume')
        const consumer = await transport.consume(spec, events)
        const read: typeof consumer.read = (room, signal) => {
          note('read')
          return consumer.read(room, signal)
        }
        return { ...consumer, read }
      },
      async close() {
        closed = true
      },
    },
  }
}
async function promiseTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await undefined
}
function outboxOf(log: string[]): Outbox<never> {
  return {
    name: 'test',
    ambient: () => undefined,
    append: async () => {},
    store: async () => {},
    start: async () => void log.push('start'),
    stop: async () => void log.push('stop'),
    health: async () => ({ name: 'test', status: 'healthy' }),
  }
}

test.each([
  ['of this process', (transport: Transport) => ({ transport, late: [] as string[] })],
  ['that is read', noting],
])(
  'whenever a bus closes over a subscribe, no handler starts on a transport %s and nothing is asked of it any more',
  async (_what, wrap) => {
    // promise 13
    for (const turns of range(40)) {
      const memory = memoryTransport()
      const other = createBus({ service: 'rig', transport: memory, logger: silentLogger })
      await other.publish(Tick, { n: 1 })
      const { transport, late } = wrap(memory)
      const bus = createBus({ service: 'rig', transport, logger: silentLogger })
      let isClosing = false
      const handled = () => {
        if (isClosing) late.push(`handler, closed after ${turns}`)
      }
      const subscribing = bus.subscribe(Tick, handled, { group: 'a' }).catch(() => undefined)
      await promiseTurns(turns)
      const closing = bus.close()
      isClosing = true
      await closing
      await subscribing
      await settle()
      expect(late).toEqual([])
      await other.close()
    }
  },
)

test('a bus that has closed registers nothing', async () => {
  const { transport, late } = noting(memoryTransport())
  const bus = createBus({ service: 'rig', transport, logger: silentLogger })
  await bus.start()
  await bus.close()
  expect([(await failureOf(() => bus.register(Tick))).code, late]).toEqual(['EVT_BUS_CLOSED', []])
})

test('what is still being validated when its bus closes is not published, and its publisher is told', async () => {
  const validated = door()
  const schema = {
    '~standard': { version: 1, vendor: 'rig', validate: (value: unknown) => validated.opened.then(() => ({ value })) },
  } as const
  const Slow = defineEvent('rig.slow', { schema: schema as never })
  const { transport, late } = noting(memoryTransport())
  const bus = createBus({ service: 'rig', transport, logger: silentLogger })
  await bus.register(Slow)
  const publishing = failureOf(() => bus.publish(Slow, undefined as never))
  await bus.close()
  validated.open()
  expect([(await publishing).code, late]).toEqual(['EVT_PUBLISH_UNAVAILABLE', []])
})

test('an outbox that the bus never started is not stopped by it: it may be that of another one', async () => {
  const log: string[] = []
  const away = { open: () => Promise.reject(new Error('away')) }
  await using rig = makeRig({ wrap: (memory) => ({ ...memory, ...away }), bus: { outbox: outboxOf(log) } })
  await rig.bus.start().catch(() => undefined)
  await rig.bus.close()
  expect(log).toEqual([])
})

test('middleware that is starting when its bus closes is stopped after that, and what comes behind it does not start', async () => {
  const started = door()
  const log: string[] = []
  const slow = {
    name: 'slow',
    async start() {
      await started.opened
      log.push('started')
    },
    stop: async () => void log.push('stopped'),
  }
  const next = { name: 'next', start: async () => void log.push('next started') }
  await using rig = makeRig({ bus: { use: [slow, next] } })
  const publishing = failureOf(() => rig.bus.publish(Tick, { n: 1 }))
  await settle()
  const closing = rig.bus.close({ deadlineMs: 100 })
  // The bus has closed for its publishers; it waits for what had begun.
  await rig.clock.advance(100)
  started.open()
  await closing
  expect([log, (await publishing).code]).toEqual([['started', 'stopped'], 'EVT_BUS_CLOSED'])
})

test('a trim that is never answered does not keep its transport from being closed', async () => {
  let closes = 0
  const wrap = (memory: Transport): Transport => ({
    ...memory,
    supports: { ...memory.supports, retention: 'acknowledged' },
    trim: () => new Promise(() => undefined),
    async close() {
      closes += 1
    },
  })
  await using rig = makeRig({ wrap })
  await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  await rig.clock.advance(6_000)
  const closing = rig.bus.close({ deadlineMs: 1_000 })
  await rig.clock.advance(30_000)
  await closing
  expect(closes).toBe(1)
})

test('messages that another bus over the same transport goes on with do not count as left behind', async () => {
  const warnings: unknown[] = []
  const logger = { ...silentLogger, warn: (...line: unknown[]) => void warnings.push(line) }
  const transport = memoryTransport()
  const [first, last] = [0, 1].map(() => createBus({ service: 'rig', transport, logger })) as [
    ReturnType<typeof createBus>,
    ReturnType<typeof createBus>,
  ]
  await last.start()
  const subscription = await first.subscribe(Tick, () => {}, { group: 'a' })
  subscription.pause()
  await first.publish(Tick, { n: 1 })
  await first.close()
  expect(warnings).toEqual([])
  await last.register(Tick)
  await last.close()
  expect(warnings).toHaveLength(1)
})

test('a publish that waits for handlers which will not run any more does not keep its bus from closing', async () => {
  await using rig = makeRig({ memory: { confirm: 'settled' }, wrap: (memory) => ({ ...memory }) })
  const subscription = await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  subscription.pause()
  const publishing = failureOf(() => rig.bus.publish(Tick, { n: 1 }))
  await settle()
  // No time passes: its deadline is never reached.
  await rig.bus.close({ deadlineMs: 60_000 })
  expect((await publishing).code).toBe('EVT_PUBLISH_UNKNOWN')
})

test('a message that is handled without a read, and waits for its handlers, does not keep its bus from closing', async () => {
  await using rig = makeRig({ memory: { confirm: 'settled' } })
  const subscription = await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  await rig.bus.publish(Tick, { n: 0 })
  subscription.pause()
  const publishing = failureOf(() => rig.bus.publish(Tick, { n: 1 }))
  await settle()
  await rig.bus.close({ deadlineMs: 60_000 })
  expect((await publishing).code).toBe('EVT_PUBLISH_UNKNOWN')
})
