/** Publishes inside transactions, some of which roll back; on a broker every other line publishes directly. */
import { setTimeout as delay } from 'node:timers/promises'
import { createBus, isEvtError, memoryTransport, silentLogger } from '@evt/core'
import type { PgTransaction } from '@evt/pg'
import { seededRandom } from '@evt/testing'
import { stageOf } from '../stages.ts'
import { outboxOf, transportOf } from './envelope.ts'
import { Keyed, messageId, type Payload, Plain } from './messages.ts'
import { watchPeaks } from './peaks.ts'
import { readProgram, report } from './report.ts'
import type { PublisherProgram } from './specification.ts'
import { openStore, skewedClock } from './store.ts'

const program = readProgram<PublisherProgram>()
const { lines = 8, keys = 4, holdMs = 0, copies = 1, flakyFailures = 1, keyPrefix = 'k' } = program
const stage = stageOf(program.stage)
const clock = skewedClock(program.clockSkewMs)
const store = openStore(program, false)
// Where messages stay in one process, a publisher only writes rows and needs no more than the transport's name.
const opened = stage.apart
  ? await stage.open(program.brokerUrl, clock)
  : { transport: memoryTransport(), close: async () => undefined }
const bus = createBus<PgTransaction>({
  service: 'faults',
  namespace: program.namespace,
  transport: transportOf(program.release, opened.transport),
  outbox: outboxOf(program.release, store.outbox),
  logger: silentLogger,
  publishTimeoutMs: 5_000,
  clock,
})
watchPeaks(program, stage.connections)
const rolledBack = new Error('rolled back on purpose')
const startedMs = performance.now()

async function publishOne(number: number, line: number, random: () => number): Promise<void> {
  const message = messageId(number)
  const key = keys === 0 ? '' : `${keyPrefix}${line}-${Math.floor(random() * keys)}`
  const payload: Payload = { number, key, failures: failuresOf(random()), padding }
  const rollsBack = random() < (program.rollbackShare ?? 0)
  const heldMs = Math.floor(random() * holdMs)
  const directly = stage.apart && line % 2 === 1
  report({ kind: 'invoke', message, key, number, directly })
  try {
    if (directly) await bus.publish(keys === 0 ? Plain : Keyed, payload, { id: message })
    else {
      await store.transactions.run(async (transaction) => {
        await transaction.query('insert into fault_orders (message, key, number) values ($1, $2, $3)', [
          message,
          key,
          number,
        ])
        if (heldMs > 0) await delay(heldMs)
        for (let copy = 0; copy < copies; copy += 1)
          await bus.publish(keys === 0 ? Plain : Keyed, payload, { id: message })
        if (rollsBack) throw rolledBack
      })
    }
    report({ kind: 'ok', message, code: directly ? 'direct' : '' })
  } catch (error) {
    const unknown = isEvtError(error, 'EVT_TX_OUTCOME_UNKNOWN', 'EVT_PUBLISH_UNKNOWN')
    const code = error === rolledBack ? 'rolled back' : isEvtError(error) ? error.code : String(error)
    report({ kind: unknown ? 'unknown' : 'fail', message, code })
    // While the server is away nothing is gained by asking it again at once.
    if (error !== rolledBack) await delay(50)
  }
}

const padding = 'x'.repeat(program.paddingBytes ?? 0)

function failuresOf(chance: number): number {
  const poison = program.poisonShare ?? 0
  if (chance < poison) return -1
  return chance < poison + (program.flakyShare ?? 0) ? flakyFailures : 0
}

async function runLine(line: number): Promise<void> {
  const random = seededRandom(program.seed + 7_919 * line)
  for (let index = line; index < program.count; index += lines) {
    const dueMs = program.perSecond === undefined ? 0 : startedMs + (index / program.perSecond) * 1_000
    if (dueMs > performance.now()) await delay(dueMs - performance.now())
    await publishOne(program.first + index, line, random)
  }
}

await bus.start()
report({ kind: 'ready' })
await Promise.all(Array.from({ length: lines }, (_none, line) => runLine(line)))
await bus.close()
await opened.close()
await store.close()
report({ kind: 'closed', figures: {} })
