/** Subscribes and closes over and over, then tells what is left of it here and on the broker. */
import { createBus, encodeTopic, on, silentLogger, systemClock } from '@evt/core'
import { stageOf } from '../stages.ts'
import { Plain } from './messages.ts'
import { readProgram, report } from './report.ts'
import type { Program } from './specification.ts'

const program = readProgram<Program & { readonly cycles: number }>()
const { cycles, namespace } = program
const { transport, close } = await stageOf(program.stage).open(program.brokerUrl, systemClock)
const bus = createBus({ service: 'faults', namespace, transport, logger: silentLogger })
const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined)

async function cycle(times: number): Promise<void> {
  for (let index = 0; index < times; index += 1) {
    let handled!: () => void
    const handling = new Promise<void>((resolve) => {
      handled = resolve
    })
    const [subscription] = await bus.subscribe(on(Plain, () => handled(), { group: 'work' }))
    await bus.publish(Plain, { number: index, key: '', failures: 0, padding: '' })
    await handling
    await subscription!.close()
  }
}
const measure = async () => {
  // Connections that are being closed have gone by then.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  collect()
  const resources = process.getActiveResourcesInfo()
  const connections = resources.filter((name) => name === 'TCPSocketWrap').length
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
  const consumers = (await transport.inspect(encodeTopic(namespace, Plain.name))).length
  const heapMb = process.memoryUsage().heapUsed / 1_048_576
  return { timers: resources.length - connections, connections, listeners, consumers, heapMb }
}
// What is compiled and cached once is not a leak.
await cycle(Math.ceil(cycles / 2))
const before = await measure()
await cycle(cycles)
const after = await measure()
await bus.close()
await close()
report({
  kind: 'closed',
  figures: {
    timers: after.timers - before.timers,
    connections: after.connections - before.connections,
    listeners: after.listeners - before.listeners,
    consumers: after.consumers - before.consumers,
    heapPercent: ((after.heapMb - before.heapMb) / before.heapMb) * 100,
  },
})
