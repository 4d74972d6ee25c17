import { door, makeRig, steady, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

/** Intervals that go on: what holds the process is one. */
const held = new Set<unknown>()
beforeEach(() => {
  const { setInterval: start, clearInterval: end } = globalThis
  held.clear()
  jest.spyOn(globalThis, 'setInterval').mockImplementation((...given) => {
    const interval = start(...given)
    held.add(interval)
    return interval
  })
  jest.spyOn(globalThis, 'clearInterval').mockImplementation((interval) => {
    held.delete(interval)
    end(interval)
  })
})
afterEach(() => jest.restoreAllMocks())

test('a publish that waits for a retry of its handler holds the process, which has nothing else to live for', async () => {
  await using rig = makeRig({ memory: { confirm: 'settled' } })
  let runs = 0
  const failOnce = () => {
    runs += 1
    if (runs === 1) throw new Error('not yet')
  }
  await rig.bus.subscribe(Tick, failOnce, { group: 'a', retry: steady })
  const publishing = rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(held.size).toBe(1)
  await rig.clock.advance(10_000)
  await publishing
  expect([runs, held.size]).toEqual([2, 0])
})

test('a close that waits for a handler holds the process, which has nothing else to live for', async () => {
  await using rig = makeRig()
  const work = door()
  await rig.bus.subscribe(Tick, () => work.opened, { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  const closing = rig.bus.close()
  await settle()
  expect(held.size).toBe(1)
  work.open()
  await closing
  expect(held.size).toBe(0)
})
