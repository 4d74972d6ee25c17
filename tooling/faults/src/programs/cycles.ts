/** Subscribes and closes over and over, then tells what is left of it here and on the broker. */
import { setFlagsFromString } from 'node:v8'
import { createBus, encodeTopic, on, silentLogger, systemClock } from '@evt/core'
import { stageOf } from '../stages.ts'
import { Plain } from './messages.ts'
import { readProgram, report } from './report.ts'
import type { Program } from './specification.ts'

// Optimised code comes and goes by the hundred kilobytes: it would hide what a cycle leaves behind.
setFlagsFromString('--no-opt')
const program = readProgram<Program & { readonly cycles: number }>()
const { cycles, namespace } = program
const { transport, close } = await stageOf(program.stage).open(program.brokerUrl, systemClock)
const bus = createBus({ service: 'faults', namespace, transport, logger: silentLogger })
const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined)

/** So many groups at once: on some brokers each takes a good while to join. */
const together = 10

async function cycle(times: number): Promise<void> {
  for (let index = 0; index < times; index += together) {
    let waiting = together
    let handled!: () => void
    const handling = new Promise<void>((resolve) => {
      handled = resolve
    })
    const handle = () => {
      waiting -= 1
      if (waiting === 0) handled()
    }
    const definitions = Array.from({ length: together }, (_none, group) => on(Plain, handle, { group: `work${group}` }))
    const subscriptions = await bus.subscribe(...definitions)
    await bus.publish(Plain, { number: index, key: '', failures: 0, padding: '' })
    await handling
    await Promise.all(subscriptions.map((subscription) => subscription.close()))
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
  const heapKb = process.memoryUsage().heapUsed / 1_024
  return { timers: resources.length - connections, connections, listeners, consumers, heapKb }
}
// What is compiled and cached once is not a leak.
await cycle(Math.ceil(cycles / 2))
const before = await measure()
await cycle(Math.ceil((cycles * 2) / 3))
const late = await measure()
await cycle(Math.floor(cycles / 3))
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
    // What happened to be there at one look is not what stays.
    heapKb: Math.min(late.heapKb, after.heapKb) - before.heapKb,
  },
})
