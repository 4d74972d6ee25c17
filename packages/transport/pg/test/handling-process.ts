/** A process of its own that handles orders and says so; asked to, it is killed between a handler and its settlement. */
import { writeSync } from 'node:fs'
import { createBus, silentLogger } from '@evt/core'
import pg from 'pg'
import { pgTransport } from '../src/index.ts'
import { Numbered } from './harness.ts'

const [url = '', dies = ''] = process.argv.slice(2)
if (dies === 'dies') {
  const crash = (name: string) => {
    if (name === 'delivery.decided') process.kill(process.pid, 'SIGKILL')
  }
  Object.assign(globalThis, { [Symbol.for('evt.crashPoint')]: crash })
}
const transport = pgTransport({ pool: new pg.Pool({ connectionString: url }), pollMs: 50 })
const bus = createBus({ service: 'test', logger: silentLogger, transport })
await bus.subscribe(Numbered, ({ n }) => void writeSync(1, `${n}\n`), { group: 'a', leaseMs: 1_500 })
process.once('SIGTERM', () => void bus.close().then(() => process.exit(0)))
