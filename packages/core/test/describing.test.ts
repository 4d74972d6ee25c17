import { contextKey, type Middleware } from '../src/index.ts'
import { deadLetterStore, door, failureOf, makeRig, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

test('a setting tells its value and where it came from: subscription before bus before library', async () => {
  await using rig = makeRig({ bus: { defaults: { concurrency: 3, timeoutMs: 500, retry: { attempts: 7 } } } })
  const { settings } = await rig.bus.subscribe(Tick, () => {}, { group: 'a', concurrency: 2 })
  expect(settings).toMatchObject({
    concurrency: { value: 2, origin: 'subscription' },
    timeoutMs: { value: 500, origin: 'bus' },
    retry: { value: { attempts: 7 }, origin: 'bus' },
    prefetch: { value: 4, origin: 'library' },
    prefetchBytes: { value: 8_388_608, origin: 'library' },
    leaseMs: { value: 30_000, origin: 'library' },
    holdMs: { value: 1_000, origin: 'library' },
  })
})

test('describe is data: events, subscriptions, settings and support, for tools to read', async () => {
  await using rig = makeRig({ bus: { deadLetters: deadLetterStore(async () => {}) } })
  await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  const described = rig.bus.describe()
  expect(described).toMatchObject({
    service: 'rig',
    namespace: 'evt',
    events: [{ name: 'rig.tick', version: 1, transports: ['memory'] }],
    subscriptions: [
      { consumer: 'rig/a', events: ['rig.tick'], state: 'running', settings: { concurrency: { value: 16 } } },
    ],
    outbox: undefined,
    deadLetters: 'store',
  })
  expect(JSON.parse(JSON.stringify(described)).transports[0].supports.durability).toBe('process')
})

test('health covers every part and is as bad as the worst of them', async () => {
  await using rig = makeRig()
  const subscription = await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  expect(await rig.bus.health()).toEqual({
    status: 'healthy',
    parts: [
      { name: 'transport:memory', status: 'healthy' },
      { name: 'rig/a', status: 'healthy' },
    ],
  })
  subscription.pause()
  expect((await rig.bus.health()).status).toBe('degraded')
})

test('health tells of a transport that cannot be opened, is not open yet, or does not answer', async () => {
  const refusal = door()
  let open = (): Promise<void> => refusal.opened.then(() => Promise.reject(new Error('connection refused')))
  await using rig = makeRig({
    wrap: (transport) => ({ ...transport, open: () => open(), publish: () => new Promise(() => {}) }),
  })
  const state = async () => (await rig.bus.health()).parts[0]
  expect(await state()).toEqual({ name: 'transport:memory', status: 'healthy' })
  const starting = rig.bus.start().catch((error: Error) => error.message)
  await settle()
  expect(await state()).toMatchObject({ status: 'unhealthy', reason: 'it is not open yet' })
  refusal.open()
  expect(await starting).toBe('connection refused')
  expect(await state()).toMatchObject({ status: 'unhealthy', reason: 'connection refused' })
  open = async () => {}
  await rig.bus.start()
  expect(await state()).toMatchObject({ status: 'healthy' })
  const publishing = failureOf(() => rig.bus.publish(Tick, { n: 1 }))
  await rig.clock.advance(10_000)
  expect((await publishing).code).toBe('EVT_PUBLISH_UNKNOWN')
  expect(await state()).toMatchObject({ status: 'unhealthy', reason: 'no answer within 10000 ms' })
})

test('context keys are typed places: two of one name are different, and a missing value is an error that names it', async () => {
  const tenant = contextKey<{ readonly plan: 'free' | 'pro' }>('tenant')
  const namesake = contextKey<string>('tenant')
  await using rig = makeRig({
    bus: {
      use: [
        {
          name: 'tenancy',
          consume(delivery, next) {
            delivery.set(tenant, { plan: 'pro' })
            return next()
          },
        },
      ],
    },
  })
  let plan: 'free' | 'pro' | undefined
  let found: string | undefined = 'none'
  await rig.bus.subscribe(
    Tick,
    (_tick, delivery) => {
      plan = delivery.get(tenant).plan
      found = delivery.find(namesake)
      delivery.get(namesake)
    },
    { group: 'a', retry: { attempts: 1 } },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect([plan, found]).toEqual(['pro', undefined])
  expect(rig.transport.deadLetters()[0]).toMatchObject({
    reason: expect.stringContaining('"tenant"'),
    history: [{ code: 'EVT_CONTEXT_MISSING' }],
  })
})

test('middleware runs by slot, then as given: of the bus before that of the subscription', async () => {
  const log: string[] = []
  const named = (name: string, slot?: Middleware['slot']): Middleware => ({
    name,
    slot,
    async consume(_delivery, next) {
      log.push(`${name} in`)
      const outcome = await next()
      log.push(`${name} ${outcome.status}`)
      return outcome
    },
  })
  await using rig = makeRig({ bus: { use: [named('user'), named('trace', 'trace')] } })
  await rig.bus.subscribe(Tick, () => void log.push('handler'), {
    group: 'a',
    use: [named('own'), named('claim', 'idempotency')],
  })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(log).toEqual([
    'trace in',
    'claim in',
    'user in',
    'own in',
    'handler',
    'own ack',
    'user ack',
    'claim ack',
    'trace ack',
  ])
})

test('the outcome is decided once and told to every middleware as a value', async () => {
  const outcomes: unknown[] = []
  await using rig = makeRig({
    bus: {
      use: [
        {
          name: 'ledger',
          async consume(_delivery, next) {
            const outcome = await next()
            outcomes.push(outcome)
            return outcome
          },
        },
      ],
    },
  })
  const error = new Error('again')
  await rig.bus.subscribe(
    Tick,
    (_tick, { attempt }) => {
      if (attempt < 3) throw error
    },
    { group: 'a', retry: { attempts: 3, backoff: { minMs: 50, jitter: false } } },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(1_000)
  expect(outcomes).toEqual([
    { status: 'retry', afterMs: 50, error, counted: true },
    { status: 'retry', afterMs: 100, error, counted: true },
    { status: 'ack' },
  ])
})

test('a middleware may decide without the handler', async () => {
  await using rig = makeRig({
    bus: { use: [{ name: 'mute', consume: async () => ({ status: 'reject', error: new Error('muted') }) }] },
  })
  let runs = 0
  await rig.bus.subscribe(
    Tick,
    () => {
      runs += 1
    },
    { group: 'a' },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect([runs, rig.transport.deadLetters()[0]!.reason]).toEqual([0, 'muted'])
})

test('a message that the transport refuses says nothing of the transport: it stays healthy', async () => {
  let outcome: 'refused' | 'unavailable' = 'refused'
  await using rig = makeRig({
    wrap: (memory) => ({ ...memory, publish: async () => [{ index: 0, outcome, error: new Error('too large') }] }),
  })
  await expect(rig.bus.publish(Tick, { n: 1 })).rejects.toMatchObject({ code: 'EVT_PUBLISH_REFUSED' })
  expect((await rig.bus.health()).status).toBe('healthy')
  outcome = 'unavailable'
  await expect(rig.bus.publish(Tick, { n: 1 })).rejects.toMatchObject({ code: 'EVT_PUBLISH_UNAVAILABLE' })
  expect(await rig.bus.health()).toMatchObject({ status: 'unhealthy', parts: [{ reason: 'too large' }] })
})

test('a message that is too large is refused at publish, before anything is sent', async () => {
  await using rig = makeRig({ bus: { maxPayloadBytes: 100 } })
  expect(await failureOf(() => rig.bus.publish(Tick, { n: 1, key: 'x'.repeat(100) }))).toMatchObject({
    code: 'EVT_PAYLOAD_TOO_LARGE',
    details: { maxBytes: 100 },
  })
})
