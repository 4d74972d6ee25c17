/** A process of its own whose handlers do their work. Told how many, it is killed between their return and the settlement. */
import { writeSync } from 'node:fs'
import { createBus, defineEvent, silentLogger, type } from '@evt/core'
import { Redis } from 'ioredis'
import { redisTransport } from '../src/index.ts'

const [url = '', prefix = '', killedAfter] = process.argv.slice(2)
const Numbered = defineEvent('raw.numbered', { schema: type<{ n: number }>() })
let handled = 0
let release = () => {}
const allHaveBegun = new Promise<void>((resolve) => {
  release = resolve
})
const hooks = globalThis as unknown as Record<symbol, (name: string) => void>
hooks[Symbol.for('evt.crashPoint')] = (name) => {
  if (name === 'delivery.decided' && killedAfter !== undefined && handled >= Number(killedAfter))
    process.kill(process.pid, 'SIGKILL')
}
const transport = redisTransport({ client: new Redis(url), prefix })
const bus = createBus({ service: 'test', transport, logger: silentLogger })
await bus.subscribe(
  Numbered,
  async ({ n }, { attempt }) => {
    handled += 1
    writeSync(1, `${n} ${attempt}\n`)
    // None is settled before the last of them has begun.
    if (handled >= Number(killedAfter ?? 0)) release()
    await allHaveBegun
  },
  { group: 'a', concurrency: 20, leaseMs: 1_500 },
)
process.once('SIGTERM', () => {
  void bus.close().then(() => process.exit())
})
