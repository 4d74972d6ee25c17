/** Forwards everything from the PostgreSQL transport to the stage's, with the relay of the outbox beside it. */
import { bridge, createBus, silentLogger, type Transport } from '@evt/core'
import type { PgTransaction } from '@evt/pg'
import { stageOf } from '../stages.ts'
import { Keyed, Plain } from './messages.ts'
import { readProgram, report } from './report.ts'
import type { Program } from './specification.ts'
import { openStore, skewedClock } from './store.ts'

const program = readProgram<Program>()
const clock = skewedClock(program.clockSkewMs)
const store = openStore(program, { leaseMs: 1_000, pollMs: 100, batch: 200 })
const source = await stageOf('pg').open(program.databaseUrl, clock)
const target = await stageOf(program.stage).open(program.brokerUrl, clock)
const tell = (fields: object, text = '') => {
  const { err: error } = fields as { err?: unknown }
  report({ kind: 'error', during: text, text: error instanceof Error ? error.message : String(error) })
}
// Rows of the outbox name the transport that they are for.
const transports: Readonly<Record<string, Transport>> = { pg: source.transport, [program.stage]: target.transport }
const bus = createBus<string, PgTransaction>({
  service: 'faults-bridge',
  namespace: program.namespace,
  transports,
  defaultTransport: 'pg',
  outbox: store.outbox,
  logger: { ...silentLogger, warn: tell, error: tell },
  clock,
})
await bus.subscribe(bridge([Keyed, Plain], { from: 'pg', to: program.stage, leaseMs: 1_000 }))
await bus.start()
report({ kind: 'ready' })
await bus.run({ deadlineMs: 10_000 })
await source.close()
await target.close()
await store.pool.end()
report({ kind: 'closed', figures: {} })
