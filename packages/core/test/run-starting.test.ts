import { on } from '../src/index.ts'
import { door, makeRig, Tick, Tock } from './rig.ts'
import { settle } from './virtual-clock.ts'

test('run hears its signal while it still starts, and drains what is at work by then', async () => {
  // promise 13
  const end = door()
  const log: string[] = []
  const never = new Promise<never>(() => undefined)
  await using rig = makeRig({
    wrap: (memory) => ({
      ...memory,
      declare: (topic) => (topic.name === 'evt.rig.tock' ? never : memory.declare(topic)),
      async close() {
        log.push('transport closed')
        await memory.close()
      },
    }),
  })
  await rig.bus.publish(Tick, { n: 1 })
  const work = async () => {
    await end.opened
    log.push('handled')
  }
  const listeners = process.listenerCount('SIGUSR2')
  const subscriptions = [on(Tick, work, { group: 'a' }), on(Tock, () => {}, { group: 'a' })]
  const running = rig.bus.run({ signals: ['SIGUSR2'], subscriptions, deadlineMs: 5_000 })
  await settle()
  process.emit('SIGUSR2')
  await settle()
  end.open()
  await rig.clock.advance(10_000)
  await running
  expect([log, process.listenerCount('SIGUSR2')]).toEqual([['handled', 'transport closed'], listeners])
})

test('a run that cannot start leaves no signal listener behind', async () => {
  await using rig = makeRig({ wrap: (memory) => ({ ...memory, open: () => Promise.reject(new Error('away')) }) })
  const listeners = process.listenerCount('SIGUSR2')
  await expect(rig.bus.run({ signals: ['SIGUSR2'] })).rejects.toThrow('away')
  expect(process.listenerCount('SIGUSR2')).toBe(listeners)
})
