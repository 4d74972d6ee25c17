/** Subscribes and closes over and over, then tells what is left of it. */
import { createBus, memoryTransport, on, silentLogger } from '@evt/core'
import { Plain } from './messages.ts'
import { readProgram, report } from './report.ts'
import type { Program } from './specification.ts'

const { cycles } = readProgram<Program & { readonly cycles: number }>()
const bus = createBus({ service: 'faults', transport: memoryTransport({ maxMessages: 10 }), logger: silentLogger })
const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined)

async function cycle(times: number): Promise<void> {
  for (let index = 0; index < times; index += 1) {
    let handled = 0
    const count = () => {
      handled += 1
    }
    const definition = on(Plain, count, { group: 'work' })
    const [subscription] = await bus.subscribe(definition)
    await bus.publish(Plain, { number: index, key: '', failures: 0, padding: '' })
    while (handled === 0) await new Promise((resolve) => setImmediate(resolve))
    await subscription!.close()
  }
}
const measure = () => {
  collect()
  const timers = process.getActiveResourcesInfo().length
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
  return { timers, listeners, heapMb: process.memoryUsage().heapUsed / 1_048_576 }
}
// What is compiled and cached once is not a leak.
await cycle(Math.ceil(cycles / 2))
const before = measure()
await cycle(cycles)
const after = measure()
await bus.close()
report({
  kind: 'closed',
  figures: {
    timers: after.timers - before.timers,
    listeners: after.listeners - before.listeners,
    heapPercent: ((after.heapMb - before.heapMb) / before.heapMb) * 100,
  },
})
