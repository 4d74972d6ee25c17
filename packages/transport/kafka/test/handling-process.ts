/** A process of its own whose handlers do their work. Told how many, it is killed between their return and the settlement. */
import { writeSync } from 'node:fs'
import { createBus, defineEvent, silentLogger, type } from '@evt/core'
import { kafkaTransport } from '../src/index.ts'

const [broker = '', prefix = '', killedAfter] = process.argv.slice(2)
const Numbered = defineEvent('raw.numbered', { schema: type<{ n: number }>() })
let handled = 0
const hooks = globalThis as unknown as Record<symbol, (name: string) => void>
hooks[Symbol.for('evt.crashPoint')] = (name) => {
  if (name === 'delivery.decided' && killedAfter !== undefined && handled >= Number(killedAfter))
    process.kill(process.pid, 'SIGKILL')
}
const transport = kafkaTransport({ brokers: [broker], prefix, sessionMs: 6_000, partitions: 1 })
const bus = createBus({ service: 'test', transport, logger: silentLogger })
await bus.subscribe(
  Numbered,
  ({ n }, { attempt }) => {
    handled += 1
    writeSync(1, `${n} ${attempt}\n`)
  },
  // The first handlers are settled only after the last of them has begun.
  { group: 'a', concurrency: 20 },
)
process.once('SIGTERM', () => {
  void bus.close().then(() => process.exit())
})
