import { defineEvent, type } from '../src/index.ts'
import { direct, gate, type Numbered, Tick } from './direct-rig.ts'

test('a paused subscription starts nothing, and resuming it delivers what came meanwhile', async () => {
  const { bus, transport } = direct()
  await using _ = bus
  let handled = 0
  const subscription = await bus.subscribe(
    Tick,
    async () => {
      handled += 1
    },
    { group: 'a' },
  )
  subscription.pause()
  const publishing = Promise.all([1, 2].map((n) => bus.publish(Tick, { n })))
  expect([handled, (await transport.inspect('evt.tick'))[0]!.lag]).toEqual([0, 2])
  subscription.resume()
  await publishing
  expect(handled).toBe(2)
})

test('closing waits for what runs, starts nothing more, and leaves the rest to the next subscription', async () => {
  const { bus, transport } = direct()
  await using _ = bus
  const slow = gate()
  const seen: number[] = []
  const handler = async ({ n }: Numbered) => {
    await slow.opened
    seen.push(n)
  }
  const first = await bus.subscribe(Tick, handler, { group: 'a', concurrency: 2 })
  const publishing = Promise.all([1, 2, 3, 4].map((n) => bus.publish(Tick, { n })))
  expect(first.stats().inFlight).toBe(2)
  expect((await transport.inspect('evt.tick'))[0]).toMatchObject({ running: 2, lag: 2 })
  const closing = first.close()
  slow.open()
  await closing
  expect(seen).toEqual([1, 2])
  await bus.subscribe(Tick, handler, { group: 'a', concurrency: 2 })
  await publishing
  expect(seen).toEqual([1, 2, 3, 4])
})

test('what still runs when the deadline of a close has passed is handed to the next as a suspect', async () => {
  const { bus, transport } = direct()
  await using _ = bus
  const never = gate()
  const attempts: number[] = []
  const handler = (_tick: Numbered, { fence }: { readonly fence: bigint }) => {
    attempts.push(Number(fence))
    return attempts.length === 1 ? never.opened : undefined
  }
  const first = await bus.subscribe(Tick, handler, { group: 'a' })
  const publishing = bus.publish(Tick, { n: 1 })
  await first.close({ deadlineMs: 0 })
  expect((await transport.inspect('evt.tick'))[0]).toMatchObject({ running: 0, lag: 1 })
  await bus.subscribe(Tick, handler, { group: 'a' })
  await publishing
  expect(attempts).toEqual([1, 2])
  never.open()
}, 10_000)

test('a keyed message that is accepted has begun, so that a close right behind it waits for its handler', async () => {
  const Keyed = defineEvent('keyed', { schema: type<Numbered>(), key: ({ n }) => String(n) })
  const { bus } = direct({ confirm: 'accepted' })
  const seen: number[] = []
  const handler = async ({ n }: Numbered) => {
    await new Promise((resolve) => setImmediate(resolve))
    seen.push(n)
  }
  await bus.subscribe(Keyed, handler, { group: 'a' })
  await bus.publish(Keyed, { n: 1 })
  await bus.close()
  expect(seen).toEqual([1])
})
