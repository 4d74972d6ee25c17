import {
  type Codec,
  defineEvent,
  type Logger,
  type Outcome,
  reject,
  type StandardSchemaV1,
  type,
} from '../src/index.ts'
import { noRejectionIsLost } from './lost-rejections.ts'
import { failureOf, makeRig, range, steady, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

// F36: whatever a user's function throws, the process survives, the subscription goes on, and it is told once.

noRejectionIsLost()

const hostile = Object.create(null)
const trap = {
  get message(): string {
    throw new Error('a getter')
  },
  get code(): string {
    throw new Error('a getter')
  },
  toString(): string {
    throw new Error('no text')
  },
}
const numbered = Object.assign(new Error('x'), { message: 5, name: 7, code: {} })

test.each([
  ['an error', new Error('boom')],
  ['undefined', undefined],
  ['null', null],
  ['text', 'boom'],
  ['a symbol', Symbol('boom')],
  ['an object without prototype', hostile],
  ['an object whose getters throw', trap],
  ['an error with a numeric message', numbered],
])(
  'a handler that throws %s has its message retried, then dead-lettered, and the next one handled',
  async (_what, thrown) => {
    await using rig = makeRig()
    const seen: number[] = []
    await rig.bus.subscribe(
      Tick,
      ({ n }) => {
        if (n === 1) throw thrown
        seen.push(n)
      },
      { group: 'a', retry: steady },
    )
    await rig.bus.publish(Tick, { n: 1 })
    await rig.bus.publish(Tick, { n: 2 })
    await rig.clock.advance(10_000)
    expect(seen).toEqual([2])
    expect(rig.transport.deadLetters()).toHaveLength(1)
    expect(rig.transport.deadLetters()[0]!.history).toHaveLength(3)
  },
)

test.each([
  ['an object without prototype', hostile],
  ['an object whose getters throw', trap],
])('reject with %s still rejects', async (_what, cause) => {
  await using rig = makeRig()
  let runs = 0
  await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
      reject(cause)
    },
    { group: 'a', retry: steady },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(10_000)
  expect([runs, rig.transport.deadLetters().length]).toEqual([1, 1])
})

const boom = () => {
  throw new Error('boom')
}

type Next = () => Promise<Outcome>
const middleware = (consume: (next: Next) => Promise<unknown>) => ({
  use: [{ name: 'm', consume: (_delivery: unknown, next: Next) => consume(next) }] as never,
})
const places: readonly (readonly [string, object, number])[] = [
  ['a consuming middleware that throws before next', { use: [{ name: 'm', consume: boom }] }, 0],
  ['a consuming middleware that throws after next', middleware(async (next) => [await next(), boom()]), 3],
  ['a middleware that returns no outcome', middleware(async () => ({ status: 'retry' })), 0],
  ['a middleware that calls next twice', middleware(async (next) => [await next(), await next()]), 3],
  ['a filter that throws', { filter: boom }, 0],
]
test.each(places)('%s costs its message its attempts and nobody else anything', async (_place, options, expected) => {
  await using rig = makeRig()
  let runs = 0
  const subscription = await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
    },
    { group: 'a', retry: steady, ...options },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(10_000)
  expect(runs).toBe(expected)
  expect(subscription.stats()).toMatchObject({ deadLettered: 1, inFlight: 0, held: 0 })
  expect(rig.transport.deadLetters()[0]!.history).toHaveLength(3)
})

test('a classifier that throws is reported, and the policy decides', async () => {
  await using rig = makeRig()
  let runs = 0
  await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
      boom()
    },
    {
      group: 'a',
      retry: {
        ...steady,
        classify: () => {
          throw new Error('classifier')
        },
      },
    },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(10_000)
  expect(runs).toBe(3)
  expect(rig.reports.map(({ error }) => (error as Error).message)).toEqual(['classifier', 'classifier', 'classifier'])
})

test('an onDeadLetter that throws or rejects is reported once and the dead letter is kept', async () => {
  await using rig = makeRig()
  await rig.bus.subscribe(Tick, () => reject('no'), { group: 'a', onDeadLetter: boom })
  await rig.bus.subscribe(Tick, () => reject('no'), { group: 'b', onDeadLetter: async () => boom() })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(rig.transport.deadLetters()).toHaveLength(2)
  expect(rig.reports).toHaveLength(2)
})

test('an onError that throws is logged, and a logger that throws changes nothing', async () => {
  const lines: string[] = []
  const logger = (run: (line: string) => void): Logger => ({
    debug: () => run('debug'),
    info: () => run('info'),
    warn: (_fields, message) => run(message ?? ''),
    error: (_fields, message) => run(message ?? ''),
  })
  const failing = { group: 'a', onDeadLetter: boom }
  await using one = makeRig({ bus: { onError: boom, logger: logger((line) => void lines.push(line)) } })
  await one.bus.subscribe(Tick, () => reject('no'), failing)
  await one.bus.publish(Tick, { n: 1 })
  await settle()
  expect(lines).toEqual(['message dead-lettered', 'onError threw'])
  await using two = makeRig({ bus: { logger: logger(boom) } })
  await two.bus.subscribe(
    Tick,
    (_tick, delivery) => {
      delivery.logger.info({})
      reject('no')
    },
    { group: 'a' },
  )
  await two.bus.publish(Tick, { n: 1 })
  await settle()
  expect(two.transport.deadLetters()).toMatchObject([{ reason: 'no' }])
  expect(two.reports.map(({ during }) => during)).toEqual(['logger', 'logger'])
  await using three = makeRig({ bus: { onError: undefined, logger: logger(boom) } })
  await three.bus.subscribe(Tick, () => reject('no'), failing)
  await three.bus.publish(Tick, { n: 1 })
  await settle()
  expect(three.transport.deadLetters()).toHaveLength(1)
})

const schema = (validate: StandardSchemaV1['~standard']['validate']): StandardSchemaV1 => ({
  '~standard': { version: 1, vendor: 'test', validate },
})
const codec = (change: Partial<Codec>): Codec => ({
  contentType: 'x/y',
  encode: (payload) => Buffer.from(JSON.stringify(payload)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
  ...change,
})

test('a schema, key or encoder that throws fails the publish and sends nothing', async () => {
  await using rig = makeRig()
  const BadSchema = defineEvent('rig.bad-schema', { schema: schema(boom) })
  const LateSchema = defineEvent('rig.late-schema', { schema: schema(async () => boom()) })
  const BadKey = defineEvent('rig.bad-key', { schema: type<number>(), key: boom })
  const BadCodec = defineEvent('rig.bad-codec', { schema: type<number>(), codec: codec({ encode: boom }) })
  for (const event of [BadSchema, LateSchema, BadKey])
    await expect(rig.bus.publish(event, 1 as never)).rejects.toThrow('boom')
  expect((await failureOf(() => rig.bus.publish(BadCodec, 1))).code).toBe('EVT_CODEC_ENCODE')
  for (const { name } of rig.bus.describe().events) expect(await rig.transport.inspect(`evt.${name}`)).toEqual([])
})

test('a decoder that throws anything is a dead letter, not a retry: the bytes get no better', async () => {
  await using rig = makeRig()
  let runs = 0
  const BadCodec = defineEvent('rig.bad-codec', {
    schema: type<number>(),
    codec: codec({
      decode() {
        runs += 1
        throw trap
      },
    }),
  })
  await rig.bus.subscribe(BadCodec, () => {}, { group: 'a', retry: steady })
  await rig.bus.publish(BadCodec, 1)
  await rig.clock.advance(10_000)
  expect(runs).toBe(1)
  expect(rig.transport.deadLetters()[0]!.history).toMatchObject([{ code: 'EVT_CODEC_DECODE' }])
})

test('a schema that throws while reading is tried again, as whatever it asks may come back', async () => {
  await using rig = makeRig()
  let validations = 0
  const Asking = defineEvent('rig.asking', {
    schema: schema((value) => {
      validations += 1
      if (validations === 2) boom()
      return { value }
    }),
  })
  let runs = 0
  await rig.bus.subscribe(
    Asking,
    () => {
      runs += 1
    },
    { group: 'a', retry: steady },
  )
  await rig.bus.publish(Asking, 1)
  await rig.clock.advance(10_000)
  expect([runs, validations]).toEqual([1, 3])
})

test('middleware that cannot start fails the first use, runs nothing, and may start later', async () => {
  let starts = 0
  let ready = false
  const runs: string[] = []
  await using rig = makeRig({
    bus: {
      use: [
        {
          name: 'slow',
          async start() {
            starts += 1
            if (starts === 1) boom()
            await new Promise((resolve) => setImmediate(resolve))
            ready = true
          },
          async publish(_draft, next) {
            runs.push(`publish ${ready}`)
            await next()
          },
          async consume(_delivery, next) {
            runs.push(`consume ${ready}`)
            return next()
          },
        },
      ],
    },
  })
  await expect(rig.bus.publish(Tick, { n: 1 })).rejects.toThrow('boom')
  await Promise.all([rig.bus.publish(Tick, { n: 1 }), rig.bus.subscribe(Tick, () => {}, { group: 'a' })])
  await settle()
  expect(runs).toEqual(['publish true', 'consume true'])
  expect(starts).toBe(2)
})

test('a subscribe that fails at the end leaves no subscription behind', async () => {
  await using rig = makeRig({
    bus: {
      outbox: {
        name: 'stubborn',
        ambient: () => undefined,
        append: async () => {},
        store: async () => {},
        start: () => Promise.reject(new Error('no relay')),
        stop: async () => {},
        health: () => Promise.reject(new Error('no health')),
      },
    },
  })
  await expect(rig.bus.subscribe(Tick, () => {}, { group: 'a' })).rejects.toThrow('no relay')
  expect(rig.bus.describe().subscriptions).toEqual([])
  expect((await rig.bus.health()).parts).toContainEqual({ name: 'stubborn', status: 'unhealthy', reason: 'no health' })
})

test('a middleware that fails to stop does not keep the bus from closing, and close says so', async () => {
  const rig = makeRig({ bus: { use: [{ name: 'm', stop: boom }] } })
  await rig.bus.start()
  await expect(rig.bus.close()).rejects.toThrow('boom')
  expect((await failureOf(() => rig.bus.publish(Tick, { n: 1 }))).code).toBe('EVT_BUS_CLOSED')
})

test.each([
  ['an object', { shipped: true }],
  ['a number', 5],
  ['null', null],
  ['a list with something that is no message', [Tick.of({ n: 1 }), 'x']],
])(
  'a handler that returns %s is an error that names its consumer and is not tried again, and other messages go on',
  async (_what, rubbish) => {
    await using rig = makeRig()
    const seen: number[] = []
    await rig.bus.subscribe(
      Tick,
      ({ n }) => {
        seen.push(n)
        return n === 1 ? (rubbish as never) : undefined
      },
      { group: 'a', retry: { attempts: 3, backoff: { minMs: 1 } } },
    )
    await rig.bus.publishMany(range(3).map((n) => Tick.of({ n })))
    await rig.clock.advance(1_000)
    // Not once more: it would do its work again and return the same.
    expect(seen).toEqual([0, 1, 2])
    const [letter] = rig.transport.deadLetters()
    expect(letter).toMatchObject({
      reason: expect.stringContaining('rig/a'),
      history: [{ code: 'EVT_HANDLER_RESULT' }],
    })
  },
)

test('a handler may return anything that can be awaited', async () => {
  await using rig = makeRig()
  let executed = 0
  const query = lazily(() => {
    executed += 1
  })
  const subscription = await rig.bus.subscribe(Tick, () => query as never, { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect([executed, subscription.stats().acknowledged]).toEqual([1, 1])
})

/** As query builders are: work that begins when somebody awaits it. */
function lazily(run: () => void): object {
  const then = (resolve: (value: undefined) => void) => {
    run()
    resolve(undefined)
  }
  return Object.defineProperty({}, 'then', { value: then })
}

test('a middleware that has started is not started again because another one could not', async () => {
  const log: string[] = []
  let down = true
  const first = { name: 'first', start: async () => void log.push('first') }
  const second = {
    name: 'second',
    async start() {
      log.push('second')
      if (down) throw new Error('not yet')
    },
  }
  await using rig = makeRig({ bus: { use: [first, second] } })
  await expect(rig.bus.publish(Tick, { n: 1 })).rejects.toThrow('not yet')
  down = false
  await rig.bus.publish(Tick, { n: 2 })
  expect(log).toEqual(['first', 'second', 'second'])
})
