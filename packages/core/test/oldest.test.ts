import { door, Keyed, makeRig, steady, Tick } from './rig.ts'

const oldestMs = async (rig: ReturnType<typeof makeRig>, topic: string) =>
  (await rig.transport.inspect(topic))[0]!.oldestMs

test('a handler that is stuck shows in the age of the oldest message, whatever came and went since', async () => {
  const rig = makeRig()
  await using _ = rig
  const stuck = door()
  const handler = ({ n }: { readonly n: number }) => (n === 0 ? stuck.opened : undefined)
  await rig.bus.subscribe(Tick, handler, { group: 'a', timeoutMs: 600_000 })
  await rig.bus.publish(Tick, { n: 0 })
  await rig.clock.advance(5_000)
  await rig.bus.publish(Tick, { n: 1 })
  expect(await oldestMs(rig, 'evt.rig.tick')).toBe(5_000)
  stuck.open()
  await rig.clock.advance(0)
  expect(await oldestMs(rig, 'evt.rig.tick')).toBeNull()
})

test('a message that waits for its retry, or behind one of its key that does, keeps its age', async () => {
  const rig = makeRig()
  await using _ = rig
  const fails = () => {
    throw new Error('not yet')
  }
  await rig.bus.subscribe(Tick, fails, { group: 'a', holdMs: 0, retry: steady })
  const stuck = door()
  await rig.bus.subscribe(Keyed, () => stuck.opened, { group: 'a', timeoutMs: 600_000 })
  await rig.bus.publish(Tick, { n: 0 })
  for (const n of [0, 1]) await rig.bus.publish(Keyed, { n })
  await rig.clock.advance(90)
  expect(await oldestMs(rig, 'evt.rig.tick')).toBe(90)
  expect(await oldestMs(rig, 'evt.rig.keyed')).toBe(90)
  stuck.open()
})
