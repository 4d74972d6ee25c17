import { createBus, memoryTransport } from '../src/index.ts'
import { door, failureOf, makeRig, range, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

test('run serves until the bus is closed and leaves no signal listener behind', async () => {
  const listeners = () => process.listenerCount('SIGINT') + process.listenerCount('SIGTERM')
  const before = listeners()
  for (const round of range(5)) {
    const bus = createBus({ service: `run-${round}`, transport: memoryTransport() })
    const running = bus.run()
    await settle()
    expect(listeners()).toBe(before + 2)
    await bus.close()
    await running
  }
  expect(listeners()).toBe(before)
})

test('run refuses signals that do not exist and subscriptions that are no list, before it starts anything', async () => {
  await using rig = makeRig()
  const given = [{ signals: 'SIGTERM' }, { signals: ['SIGTREM'] }, { subscriptions: {} }]
  for (const options of given)
    expect(await failureOf(() => rig.bus.run(options as never))).toMatchObject({
      code: 'EVT_OPTION_INVALID',
      details: { option: Object.keys(options)[0] },
    })
})

test('run drains on its signal', async () => {
  const rig = makeRig()
  const end = door()
  let finished = false
  await rig.bus.subscribe(
    Tick,
    async () => {
      await end.opened
      finished = true
    },
    { group: 'a' },
  )
  await rig.bus.publish(Tick, { n: 1 })
  const running = rig.bus.run({ signals: ['SIGUSR2'] })
  await settle()
  process.emit('SIGUSR2')
  await settle()
  end.open()
  await running
  expect(finished).toBe(true)
})
