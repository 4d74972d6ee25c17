import { type Middleware, onBatch } from '../src/index.ts'
import { door, makeRig, steady, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

/** Holds every message back until the test lets it go, as a store that is slow does. */
function slowMiddleware(): Middleware & { open(): void } {
  const gate = door()
  return {
    name: 'slow',
    open: gate.open,
    async consume(_delivery, next) {
      await gate.opened
      return next()
    },
  }
}
const kinds = ['one by one', 'in batches'] as const
type Rig = ReturnType<typeof makeRig>
const subscribe = (rig: Rig, kind: (typeof kinds)[number], use: readonly Middleware[], handled: number[]) => {
  const options = { group: 'a', use, retry: steady, timeoutMs: 30_000 }
  if (kind === 'one by one') return rig.bus.subscribe(Tick, ({ n }) => void handled.push(n), options)
  const batch = { lingerMs: 0 }
  const handler = (ticks: readonly { readonly n: number }[]) => void handled.push(...ticks.map(({ n }) => n))
  return rig.bus.subscribe(onBatch(Tick, handler, { ...options, batch })).then(([subscription]) => subscription!)
}

test.each(kinds)('a handler that its middleware held back past the close is not begun, %s', async (kind) => {
  // promise 13
  await using rig = makeRig()
  const slow = slowMiddleware()
  const handled: number[] = []
  const subscription = await subscribe(rig, kind, [slow], handled)
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(1)
  const closing = subscription.close({ deadlineMs: 1_000 })
  await rig.clock.advance(10_000)
  await closing
  slow.open()
  await settle()
  expect(handled).toEqual([])
})

test.each(kinds)(
  'a handler that its middleware held back past its timeout is not begun, and nothing has failed, %s',
  async (kind) => {
    await using rig = makeRig()
    const slow = slowMiddleware()
    const handled: number[] = []
    const subscription = await subscribe(rig, kind, [slow], handled)
    await rig.bus.publish(Tick, { n: 1 })
    await rig.clock.advance(31_000)
    expect(subscription.stats().timedOut).toBe(1)
    slow.open()
    await settle()
    expect(handled).toEqual([])
    await rig.clock.advance(1_000)
    expect(handled).toEqual([1])
    expect(subscription.stats()).toMatchObject({ acknowledged: 1, deadLettered: 0 })
  },
)
