import { defineEvent, isEvtError, reject, retry, type } from '../src/index.ts'
import { direct, error, gate, type Numbered, quick, Tick } from './direct-rig.ts'

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
