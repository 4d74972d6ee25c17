import { onAny } from '../src/index.ts'
import { Keyed, makeRig, smuggle, Tick, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'

test('every publish gets an id of its own, also inside a handler, and derived messages carry their cause', async () => {
  // promise 5
  await using rig = makeRig()
  const seen: { id: string; causationId: string | undefined; correlationId: string }[] = []
  await rig.bus.subscribe(
    Tick,
    async (_tick, delivery) => {
      await delivery.publish(Tock, { n: 1 })
      await delivery.publish(Tock, { n: 2 })
      return [Tock.of({ n: 3 }), Tock.of({ n: 4 })]
    },
    { group: 'a' },
  )
  await rig.bus.subscribe(
    Tock,
    (_tock, { id, causationId, correlationId }) => void seen.push({ id, causationId, correlationId }),
    { group: 'b' },
  )
  const parent = await rig.bus.publish(Tick, { n: 0 }, { correlationId: 'order-7' })
  await settle()
  expect(seen).toHaveLength(4)
  expect(new Set([parent.id, ...seen.map(({ id }) => id)]).size).toBe(5)
  for (const { causationId, correlationId } of seen) {
    expect(causationId).toBe(parent.id)
    expect(correlationId).toBe('order-7')
  }
})

test('a message that is published again by the rerun of its handler has the same id when it is returned', async () => {
  await using rig = makeRig()
  const ids: string[] = []
  await rig.bus.subscribe(Tock, (_tock, delivery) => void ids.push(delivery.id), { group: 'b' })
  for (const group of ['a', 'c']) await rig.bus.subscribe(Tick, () => Tock.of({ n: 1 }), { group })
  const { id } = await rig.bus.publish(Tick, { n: 1 }, { id: 'chosen' })
  await rig.bus.publish(Tick, { n: 1 }, { id: 'chosen' })
  await settle()
  expect(id).toBe('chosen')
  expect(ids).toHaveLength(4)
  expect(new Set(ids).size).toBe(2)
})

test('messages that one group returns for two events of one id have ids of their own', async () => {
  await using rig = makeRig()
  const ids: string[] = []
  await rig.bus.subscribe(onAny({ Tick, Tock }, ({ payload }) => Keyed.of({ n: payload.n }), { group: 'a' }))
  await rig.bus.subscribe(Keyed, (_keyed, { id }) => void ids.push(id), { group: 'b' })
  await rig.bus.publish(Tick, { n: 1 }, { id: 'order-7' })
  await rig.bus.publish(Tock, { n: 2 }, { id: 'order-7' })
  await settle()
  expect(ids).toHaveLength(2)
  expect(new Set(ids).size).toBe(2)
})

test('of what arrived, only correlation and trace go on with what a handler publishes', async () => {
  await using rig = makeRig()
  const headers: Readonly<Record<string, string>>[] = []
  await rig.bus.subscribe(Tick, () => Tock.of({ n: 1 }), { group: 'a' })
  await rig.bus.subscribe(Tock, (_tock, delivery) => void headers.push({ ...delivery.metadata }), { group: 'b' })
  await rig.bus.publish(Tick, { n: 1 }, { metadata: { tenant: 'secret', dlq_reason: 'x' } })
  await settle()
  expect(headers).toEqual([{}])
})

test('trace context crosses the wire and goes on with derived messages', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await using rig = makeRig()
  await rig.bus.subscribe(Tick, () => Tock.of({ n: 1 }), { group: 'a' })
  await rig.bus.subscribe(
    Tock,
    () => {
      throw new Error('keep it')
    },
    { group: 'b', retry: { attempts: 1 } },
  )
  await smuggle(rig.transport, 'evt.rig.tick', { traceparent, tracestate: 'a=1', baggage: 'b=2' })
  await settle()
  expect(rig.transport.deadLetters()[0]!.headers).toMatchObject({ traceparent, tracestate: 'a=1', baggage: 'b=2' })
})
