import { contextKey } from '../src/index.ts'
import { failureOf, makeRig, Tick, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'

test('publishing middleware runs around every message, may add metadata and sees what its delivery carries', async () => {
  const tenant = contextKey<string>('tenant')
  await using rig = makeRig({
    bus: {
      use: [
        {
          name: 'tenancy',
          async publish(draft, next) {
            draft.metadata('tenant', draft.find(tenant) ?? 'nobody')
            await next()
          },
          async consume(delivery, next) {
            delivery.set(tenant, `of ${delivery.metadata.tenant}`)
            return next()
          },
        },
      ],
    },
  })
  const seen: unknown[] = []
  await rig.bus.subscribe(Tick, () => Tock.of({ n: 1 }), { group: 'a' })
  await rig.bus.subscribe(Tock, (_tock, delivery) => void seen.push(delivery.metadata.tenant), { group: 'b' })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(seen).toEqual(['of nobody'])
})

test('a publishing middleware that neither calls next nor throws fails the publish instead of losing the message', async () => {
  await using rig = makeRig({
    bus: {
      use: [
        {
          name: 'mute',
          publish: (draft, next) => ((draft.payload as { n: number }).n === 1 ? Promise.resolve() : next()),
        },
      ],
    },
  })
  expect((await failureOf(() => rig.bus.publish(Tick, { n: 1 }))).code).toBe('EVT_MIDDLEWARE_NEXT')
  const many = rig.bus.publishMany([Tick.of({ n: 0 }), Tick.of({ n: 1 })])
  expect((await failureOf(() => many)).code).toBe('EVT_MIDDLEWARE_NEXT')
})

test('a publishing middleware that swallows the failure of next does not turn it into a success', async () => {
  await using rig = makeRig({
    wrap: (transport) => ({ ...transport, publish: () => Promise.reject(new Error('down')) }),
    bus: { use: [{ name: 'optimist', publish: (_draft, next) => next().catch(() => undefined) }] },
  })
  expect((await failureOf(() => rig.bus.publish(Tick, { n: 1 }))).code).toBe('EVT_PUBLISH_UNKNOWN')
})

test('where middleware refuses one message of a list nothing is sent, and what waits around the others is told', async () => {
  const ends: string[] = []
  await using rig = makeRig({
    bus: {
      use: [
        {
          name: 'span',
          async publish(draft, next) {
            const { n } = draft.payload as { n: number }
            await next().catch((error: Error) => {
              ends.push(`${n}: ${error.message}`)
              throw error
            })
          },
        },
        {
          name: 'strict',
          publish: (draft, next) =>
            (draft.payload as { n: number }).n === 1 ? Promise.reject(new Error('not this one')) : next(),
        },
      ],
    },
  })
  const seen: number[] = []
  await rig.bus.subscribe(Tick, ({ n }) => void seen.push(n), { group: 'a' })
  await expect(rig.bus.publishMany([0, 1, 2].map((n) => Tick.of({ n })))).rejects.toThrow('not this one')
  await settle()
  expect([ends.sort(), seen]).toEqual([['0: not this one', '1: not this one', '2: not this one'], []])
})
