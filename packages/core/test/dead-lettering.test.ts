import { z } from 'zod'
import {
  type Consumer,
  createBus,
  type DeadLetterEntry,
  defineEvent,
  memoryTransport,
  reject,
  silentLogger,
  type Transport,
  type TransportSupport,
} from '../src/index.ts'
import { deadLetterStore, failureOf, Keyed, makeRig, range, readAs, smuggle, steady, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'
import { watched } from './watched-transport.ts'

const Strict = defineEvent('rig.strict', { schema: z.object({ n: z.number() }) })

describe.each([
  ['after the last attempt', {}, '{"n":1}', 3],
  ['on reject', {}, '{"n":2}', 1],
  ['for bytes that cannot be decoded', {}, '{"n":', 1],
  ['for an unknown content type', { 'content-type': 'application/x-unheard' }, '{"n":1}', 1],
  ['for a payload that fails its schema', {}, '{"n":"x"}', 1],
  ['for a foreign type', { 'ce-type': 'somebody.else' }, '{"n":1}', 1],
  ['for an envelope without id', { 'ce-id': '' }, '{"n":1}', 1],
] as const)('%s', (_when, headers, payload, attempts) => {
  test('a message is dead-lettered before it is settled, with bytes, headers and history', async () => {
    // promise 2
    const watch = watched()
    const letters: DeadLetterEntry[] = []
    await using rig = makeRig({
      wrap: watch.wrap,
      bus: {
        deadLetters: deadLetterStore(async (entries) => {
          await new Promise((resolve) => setImmediate(resolve))
          watch.log.push('kept')
          letters.push(...entries)
        }),
      },
    })
    await rig.bus.subscribe(
      Strict,
      ({ n }) => {
        if (n === 2) reject('two')
        throw new Error('again')
      },
      { group: 'a', retry: steady },
    )
    await smuggle(rig.transport, 'evt.rig.strict', { ...headers, note: 'n' }, payload)
    await rig.clock.advance(5_000)
    expect(watch.log).toEqual(['kept', 'ack'])
    expect(letters).toHaveLength(1)
    expect(letters[0]).toMatchObject({
      event: 'rig.strict',
      topic: 'evt.rig.strict',
      consumer: 'rig/a',
      position: expect.stringMatching(/^\d+$/),
      attempts,
      payload: Buffer.from(payload),
      headers: { note: 'n' },
    })
    expect(letters[0]!.history).toHaveLength(attempts)
  })
})

test('without a store the transport keeps dead letters itself', async () => {
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  await rig.bus.subscribe(Tick, () => reject('no'), { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(watch.log).toEqual(['deadLetter'])
  expect(rig.transport.deadLetters()).toHaveLength(1)
})

test('while the dead-letter store is down the message stays, no attempt is burnt, and others go on', async () => {
  let down = true
  const letters: DeadLetterEntry[] = []
  await using rig = makeRig({
    bus: {
      deadLetters: deadLetterStore(async (entries) => {
        if (down) throw new Error('the store is down')
        letters.push(...entries)
      }),
    },
  })
  const subscription = await rig.bus.subscribe(
    Tick,
    ({ n }) => {
      if (n === 1) reject('no')
    },
    { group: 'a' },
  )
  await rig.bus.publishMany([Tick.of({ n: 1 }), Tick.of({ n: 2 })])
  await rig.clock.advance(5_000)
  expect(subscription.stats()).toMatchObject({ acknowledged: 1, deadLettered: 0 })
  expect(rig.reports[0]).toMatchObject({ during: 'rig/a: dead-letter' })
  down = false
  await rig.clock.advance(5_000)
  expect(letters).toMatchObject([{ attempts: 1, reason: 'no' }])
  expect(letters[0]!.history).toHaveLength(1)
})

test('a dead letter has the same id however often it is appended, and another for another consumer', async () => {
  const ids: string[] = []
  const deadLetters = deadLetterStore(async (entries) => {
    ids.push(...entries.map(({ id }) => id))
    if (ids.length === 1) throw new Error('the answer was lost')
  })
  await using rig = makeRig({ bus: { deadLetters } })
  await rig.bus.subscribe(Tick, () => reject('no'), { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(5_000)
  await rig.bus.subscribe(Tick, () => reject('no'), { group: 'b' })
  await rig.clock.advance(5_000)
  expect(ids).toHaveLength(3)
  expect(ids[1]).toBe(ids[0])
  expect(ids[2]).not.toBe(ids[0])
})

test('after a dead letter its successors of the same key go on, in order', async () => {
  await using rig = makeRig()
  const seen: number[] = []
  await rig.bus.subscribe(
    Keyed,
    ({ n }) => {
      if (n === 1) reject('no')
      seen.push(n)
    },
    { group: 'a' },
  )
  await rig.bus.publishMany([1, 2, 3].map((n) => Keyed.of({ n })))
  await settle()
  expect(seen).toEqual([2, 3])
})

test('onDeadLetter is told of every dead letter', async () => {
  await using rig = makeRig()
  const told: DeadLetterEntry[] = []
  await rig.bus.subscribe(Tick, () => reject('no'), { group: 'a', onDeadLetter: (entry) => void told.push(entry) })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(told).toMatchObject([{ reason: 'no', consumer: 'rig/a' }])
})

const keepsNone = (supports: TransportSupport): TransportSupport => ({ ...supports, deadLetters: 'none' })

test('where nobody keeps dead letters subscribing fails by name, unless dropping them is asked for, counted and logged', async () => {
  // promise 18
  const lines: [object, string | undefined][] = []
  await using rig = makeRig({
    wrap: (memory) => ({ ...memory, supports: keepsNone(memory.supports) }),
    bus: {
      logger: { debug() {}, info() {}, error() {}, warn: (fields, message) => void lines.push([fields, message]) },
    },
  })
  expect(await failureOf(() => rig.bus.subscribe(Tick, () => reject('no'), { group: 'a' }))).toMatchObject({
    code: 'EVT_OPTION_UNSUPPORTED',
    details: { option: 'deadLetters', transport: 'memory' },
  })
  const subscription = await rig.bus.subscribe(Tick, () => reject('no'), { group: 'a', deadLetters: 'drop' })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(subscription.stats()).toMatchObject({ dropped: 1, deadLettered: 0 })
  expect(lines).toMatchObject([[{ consumer: 'rig/a' }, 'message dropped: nobody keeps its dead letters']])
})

test('a full dead-letter place stops the fetching, loses nothing, and holds back nobody else', async () => {
  await using rig = makeRig({ memory: { maxDeadLetters: 1 } })
  const subscription = await rig.bus.subscribe(
    Tick,
    ({ n }) => {
      if (n < 100) reject('no')
    },
    { group: 'a', concurrency: 1, prefetch: 2 },
  )
  await rig.bus.publishMany([1, 2].map((n) => Tick.of({ n })))
  await settle()
  await rig.bus.publish(Tick, { n: 100 })
  await rig.clock.advance(100)
  expect(rig.transport.deadLetters()).toHaveLength(1)
  // The acknowledgement of what came after the letter that found no room has gone through.
  expect((await rig.transport.inspect('evt.rig.tick'))[0]).toMatchObject({ running: 1 })
  await rig.bus.publishMany(range(50).map((n) => Tick.of({ n })))
  await rig.clock.advance(1_000)
  const [state] = await rig.transport.inspect('evt.rig.tick')
  expect(state!.lag).toBeGreaterThan(40)
  expect(state!.lag! + state!.running!).toBe(51)
  expect(subscription.health()).toMatchObject({
    status: 'unhealthy',
    parts: [{ reason: expect.stringContaining('full') }],
  })
})

test('a suspect has its start recorded before its handler runs, and suspects run one at a time', async () => {
  const watch = watched()
  await using rig = makeRig({
    wrap: (memory) => readAs(() => ({ suspect: true }))(watch.wrap(memory)),
  })
  let running = 0
  let most = 0
  await rig.bus.subscribe(
    Tick,
    async () => {
      watch.log.push('run')
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
    },
    { group: 'a' },
  )
  await rig.bus.publishMany(range(3).map((n) => Tick.of({ n })))
  for (let turn = 0; turn < 5; turn += 1) await settle()
  expect(most).toBe(1)
  expect(watch.log.filter((step) => step !== 'ack')).toEqual(['started', 'run', 'started', 'run', 'started', 'run'])
})

test('a message that ends its process as often as it may run is dead-lettered without another run', async () => {
  await using rig = makeRig()
  const attempts: number[] = []
  const events = { revoking: async () => undefined, lost() {}, cut() {}, recreated() {} }
  const as = { group: 'rig/a' }
  const spec = {
    topic: 'evt.rig.tick',
    consumer: 'rig/a',
    as,
    from: 'earliest',
    ordered: 'none',
    leaseMs: 1_000,
  } as const
  /** Goes away in the middle of the messages that it has begun. */
  const die = async () => {
    const dying = await rig.transport.consume(spec, events)
    const read = await dying.read({ messages: 10, bytes: 1_000 }, new AbortController().signal)
    const fatal = read.filter(({ payload }) => Buffer.from(payload).toString() === '{"n":1}')
    await dying.settle(fatal.map((delivery) => ({ delivery, as: 'started' })))
    await dying.close()
  }
  const handler = (_tick: unknown, { attempt }: { readonly attempt: number }) => void attempts.push(attempt)
  await rig.bus.publishMany([1, 2].map((n) => Tick.of({ n })))
  for (const _death of range(3)) await die()
  const subscription = await rig.bus.subscribe(Tick, handler, { group: 'a', retry: steady })
  await rig.clock.advance(1_000)
  expect(attempts).toEqual([1])
  expect(subscription.stats()).toMatchObject({ acknowledged: 1, deadLettered: 1, held: 0, inFlight: 0 })
  const [letter] = rig.transport.deadLetters()
  expect(Buffer.from(letter!.payload).toString()).toBe('{"n":1}')
  expect(letter!.history).toMatchObject([{ code: 'EVT_POISON', attempt: 3 }])
})

/** A transport that gives every message one position. */
function onePlace(): Transport {
  const transport = memoryTransport()
  return {
    ...transport,
    async consume(spec, events) {
      const consumer = await transport.consume(spec, events)
      const read: Consumer['read'] = async (room, signal) =>
        (await consumer.read(room, signal)).map((delivery) =>
          Object.defineProperty(delivery, 'position', { value: '1' }),
        )
      return { ...consumer, read }
    },
  }
}

test('messages of two transports that name them by one position are two dead letters', async () => {
  const letters: DeadLetterEntry[] = []
  await using bus = createBus({
    service: 'rig',
    transports: { one: onePlace(), two: onePlace() },
    routes: [{ events: [Tick], to: ['one', 'two'] }],
    defaultTransport: 'one',
    deadLetters: deadLetterStore(async (entries) => void letters.push(...entries)),
    logger: silentLogger,
  })
  const refuse = () => reject('never')
  for (const transport of ['one', 'two'] as const) await bus.subscribe(Tick, refuse, { group: 'a', transport })
  await bus.publish(Tick, { n: 1 })
  await settle()
  expect(new Set(letters.map(({ id }) => id)).size).toBe(2)
})

test('what stands where another message stood before its stream was made anew is a dead letter of its own', async () => {
  const ids = new Set<string>()
  const deadLetters = deadLetterStore(async (entries) => {
    for (const { id } of entries) ids.add(id)
  })
  await using rig = makeRig({ wrap: onePlace, bus: { deadLetters } })
  await rig.bus.subscribe(Tick, () => reject('never'), { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await rig.bus.publish(Tick, { n: 2 })
  await settle()
  expect(ids.size).toBe(2)
})

test('what cannot be read and stands where something else stood is told from it by its bytes', async () => {
  const ids = new Set<string>()
  const deadLetters = deadLetterStore(async (entries) => {
    for (const { id } of entries) ids.add(id)
  })
  let inner: Transport | undefined
  const wrap = () => {
    inner = onePlace()
    return inner
  }
  await using rig = makeRig({ wrap, bus: { deadLetters } })
  await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  for (const payload of ['first', 'second']) await smuggle(inner!, 'evt.rig.tick', { 'ce-id': '' }, payload)
  await settle()
  expect(ids.size).toBe(2)
})

test('what goes by reference and no codec can write is dead-lettered with its headers, and not tried again for ever', async () => {
  // promise 2
  const letters: DeadLetterEntry[] = []
  const deadLetters = deadLetterStore(async (entries) => void letters.push(...entries))
  await using rig = makeRig({ memory: { byReference: true }, bus: { deadLetters } })
  let runs = 0
  const handler = () => {
    runs += 1
    throw new Error('no')
  }
  await rig.bus.subscribe(Tick, handler, { group: 'a', retry: { attempts: 1 } })
  const { id } = await rig.bus.publish(Tick, { n: 1n as never })
  await rig.clock.advance(10_000)
  expect([runs, letters]).toMatchObject([1, [{ messageId: id, reason: 'no' }]])
  expect(letters[0]!.payload.byteLength).toBe(0)
})

test('two messages of one id are two dead letters: ids are the choice of whoever publishes', async () => {
  // promise 2
  const ids = new Set<string>()
  const deadLetters = deadLetterStore(async (entries) => {
    for (const { id } of entries) ids.add(id)
  })
  await using rig = makeRig({ bus: { deadLetters } })
  await rig.bus.subscribe(Tick, () => reject('no'), { group: 'a' })
  for (const n of range(2)) await rig.bus.publish(Tick, { n }, { id: 'the same' })
  await settle()
  expect(ids.size).toBe(2)
})
