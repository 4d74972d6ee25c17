import { type Bus, createBus, memoryTransport, silentLogger, type Transport } from '../src/index.ts'
import { door, Tick } from './rig.ts'

function counted(around: Partial<Transport> = {}) {
  const calls: string[] = []
  const inner = memoryTransport()
  const transport: Transport = {
    ...inner,
    async open() {
      calls.push('open')
      await around.open?.()
    },
    async close() {
      calls.push('close')
      await around.close?.()
      await inner.close()
    },
  }
  const bus = (): Bus => createBus({ service: 'rig', transport, logger: silentLogger })
  return { calls, bus }
}

test('a transport is opened for the first bus over it and closed after the last', async () => {
  const { calls, bus } = counted()
  const [first, second] = [bus(), bus()]
  await Promise.all([first.start(), second.start()])
  await first.close()
  await first.close()
  expect(calls).toEqual(['open'])
  expect(await second.publish(Tick, { n: 1 })).toMatchObject({ via: 'transport' })
  await second.close()
  expect(calls).toEqual(['open', 'close'])
})

test('a bus that comes after all others have closed opens the transport again, once it has closed', async () => {
  const [begun, closing] = [door(), door()]
  const { calls, bus } = counted({
    close() {
      begun.open()
      return closing.opened
    },
  })
  const first = bus()
  await first.start()
  const closed = first.close()
  await begun.opened
  const second = bus()
  const started = second.start()
  closing.open()
  await Promise.all([closed, started])
  expect(calls).toEqual(['open', 'close', 'open'])
  await second.close()
  expect(calls).toEqual(['open', 'close', 'open', 'close'])
})

test('where a transport could not be opened every bus over it is told, and the next attempt opens it for all', async () => {
  let tries = 0
  const { calls, bus } = counted({
    async open() {
      tries += 1
      if (tries === 1) throw new Error('not yet')
    },
  })
  const [first, second] = [bus(), bus()]
  const failures = await Promise.allSettled([first.start(), second.start()])
  expect(failures.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await second.start()
  await first.close()
  expect(calls).toEqual(['open', 'open'])
  await second.close()
  expect(calls).toEqual(['open', 'open', 'close'])
})
