import type { Consumer, Transport } from '../src/index.ts'
import { makeRig, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

/** Puts something in place of verbs of every consumer. */
const withConsumers =
  (around: (consumer: Consumer) => Partial<Consumer>) =>
  (transport: Transport): Transport => ({
    ...transport,
    async consume(spec, events) {
      const consumer = await transport.consume(spec, events)
      return { ...consumer, ...around(consumer) }
    },
  })
const never = () => new Promise<never>(() => {})

test('a renewal of leases that is never answered is reported and not the last', async () => {
  // promise 15
  let asked = 0
  const wrap = withConsumers((consumer) => ({
    extend(held) {
      asked += 1
      return asked === 1 ? never() : consumer.extend(held)
    },
  }))
  await using rig = makeRig({ wrap })
  const steps: string[] = []
  await rig.bus.subscribe(
    Tick,
    async (_tick, { signal }) => {
      steps.push('begins')
      await new Promise<void>((resolve) => rig.clock.startTimer(resolve, 100_000))
      steps.push(signal.aborted ? 'aborted' : 'ends')
    },
    { group: 'a', leaseMs: 30_000, timeoutMs: 200_000 },
  )
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(120_000)
  expect(steps).toEqual(['begins', 'ends'])
  expect(rig.reports.map(({ during }) => during)).toEqual(['rig/a: extend'])
})

test('a settlement that is not answered makes the health tell, until it is', async () => {
  let answer: () => void = () => {}
  const wrap = withConsumers((consumer) => ({
    async settle(batch) {
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      return consumer.settle(batch)
    },
  }))
  await using rig = makeRig({ wrap })
  const subscription = await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(5_000)
  expect(subscription.health().status).toBe('healthy')
  await rig.clock.advance(20_000)
  expect(subscription.health()).toMatchObject({
    status: 'unhealthy',
    parts: [{ reason: expect.stringContaining('has not been answered for 25 s') }],
  })
  answer()
  await settle()
  expect(subscription.health().status).toBe('healthy')
})

test.each<[string, (transport: Transport) => Transport]>([
  ['opens', (transport) => ({ ...transport, open: never })],
  ['trims', (transport) => ({ ...transport, trim: never })],
  ['lets go of its consumers', withConsumers(() => ({ close: never }))],
  ['closes', (transport) => ({ ...transport, close: never })],
])('a bus whose transport never %s closes all the same, and says what it left behind', async (_what, silence) => {
  const wrap = (transport: Transport) =>
    silence({ ...transport, supports: { ...transport.supports, retention: 'acknowledged' } })
  await using rig = makeRig({ wrap })
  const subscribing = rig.bus.subscribe(Tick, () => {}, { group: 'a' }).catch(() => undefined)
  // A trim is under way by then.
  await rig.clock.advance(6_000)
  const closing = rig.bus.close({ deadlineMs: 1_000 })
  await rig.clock.advance(30_000)
  await closing
  await Promise.race([subscribing, settle()])
  expect(rig.reports.some(({ during }) => during.endsWith('close'))).toBe(true)
})
