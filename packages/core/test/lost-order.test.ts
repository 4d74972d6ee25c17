import type { Consumer, Delivery, Transport } from '../src/index.ts'
import { door, Keyed, makeRig, type Numbered } from './rig.ts'
import { settle } from './virtual-clock.ts'

/** A memory transport with something in place of verbs of its consumers, and their settlements. */
function wrapping(around: (consumer: Consumer, log: string[]) => Partial<Consumer>) {
  const log: string[] = []
  const wrap = (transport: Transport): Transport => ({
    ...transport,
    async consume(spec, events) {
      // The server keeps leases: nobody else takes anything in these tests.
      const consumer = await transport.consume({ ...spec, leaseMs: 600_000 }, events)
      const settleAll: Consumer['settle'] = (batch) => {
        log.push(...batch.map(({ as }) => as))
        return consumer.settle(batch)
      }
      return { ...consumer, settle: settleAll, ...around({ ...consumer, settle: settleAll }, log) }
    },
  })
  return { log, wrap }
}

test('what waits behind a message that is given back, because its lease could not be renewed, does not pass it', async () => {
  // promise 16
  const { wrap } = wrapping(() => ({ extend: () => Promise.reject(new Error('away')) }))
  await using rig = makeRig({ wrap })
  const order: string[] = []
  const handler = ({ n }: Numbered, { signal }: Delivery) => {
    order.push(`begin ${n}`)
    if (order.length > 1) return void order.push(`end ${n}`)
    return new Promise<void>((_resolve, fail) => signal.addEventListener('abort', () => fail(signal.reason)))
  }
  await rig.bus.subscribe(Keyed, handler, { group: 'a', leaseMs: 3_000 })
  await rig.bus.publish(Keyed, { n: 1 })
  // The second comes when renewing has begun to fail for the first alone.
  await rig.clock.advance(2_500)
  await rig.bus.publish(Keyed, { n: 2 })
  await rig.clock.advance(5_000)
  expect(order).toEqual(['begin 1', 'begin 1', 'end 1', 'begin 2', 'end 2'])
})

test('a message whose settlement is on its way is not lost because a renewal does not find it any more', async () => {
  // promise 8
  const settled = door()
  const { wrap, log } = wrapping((consumer) => ({
    extend: async (held) => held,
    async settle(batch) {
      await settled.opened
      return consumer.settle(batch)
    },
  }))
  await using rig = makeRig({ wrap })
  const subscription = await rig.bus.subscribe(Keyed, () => {}, { group: 'a', leaseMs: 3_000 })
  await rig.bus.publish(Keyed, { n: 1 })
  await rig.clock.advance(1_500)
  expect(subscription.stats()).toMatchObject({ lost: 0, waiting: 0, acknowledged: 1 })
  settled.open()
  await settle()
  expect(log).toEqual(['ack'])
})

test('a settlement that fails is not tried any more once its subscription has closed', async () => {
  let calls = 0
  const refusing = () => {
    calls += 1
    return Promise.reject(new Error('away'))
  }
  const { wrap } = wrapping(() => ({ settle: refusing }))
  await using rig = makeRig({ wrap })
  const subscription = await rig.bus.subscribe(Keyed, () => {}, { group: 'a' })
  await rig.bus.publish(Keyed, { n: 1 })
  await settle()
  const closing = subscription.close({ deadlineMs: 100 })
  await rig.clock.advance(2_000)
  await closing
  const before = calls
  await rig.clock.advance(60_000)
  expect([before > 0, calls - before]).toEqual([true, 0])
})
