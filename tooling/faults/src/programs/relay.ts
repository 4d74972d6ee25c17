/** A relay whose transport tells the ledger of every message it accepts. */
import { setTimeout as delay } from 'node:timers/promises'
import type { PublishFailure, RelayTarget } from '@evt/core'
import { seededRandom } from '@evt/testing'
import { stageOf } from '../stages.ts'
import { readProgram, report } from './report.ts'
import type { RelayProgram } from './specification.ts'
import { openStore, skewedClock } from './store.ts'

const program = readProgram<RelayProgram>()
const { leaseMs = 1_000, pollMs = 50, batch = 100, pauseMs = 0 } = program
const random = seededRandom(program.seed)
const refused = (id: string) => Number(id.slice(1)) % 100 < (program.refuseShare ?? 0) * 100
const pause = async () => {
  if (pauseMs > 0) await delay(Math.floor(random() * pauseMs))
}
const store = openStore(program, { leaseMs, pollMs, batch })
const tell = (fields: object, text = '') => {
  const { err: error } = fields as { err?: Error }
  report({ kind: 'error', during: text, text: error?.message ?? '' })
}
const target: RelayTarget = {
  clock: skewedClock(program.clockSkewMs),
  logger: { debug() {}, info() {}, warn: tell, error: tell },
  transports: [stageOf(program.stage).transportName],
  supports: () => ({ durability: 'broker', publishOrder: 'prefix', confirms: 'accepted', maxMessageBytes: 1e9 }),
  async publish(_transport, messages) {
    await pause()
    const failures: PublishFailure[] = []
    for (const [index, { id, key = '' }] of messages.entries()) {
      if (refused(id)) failures.push({ index, outcome: 'refused', error: new Error('refused on purpose') })
      else report({ kind: 'sent', message: id, key })
    }
    await pause()
    return failures
  },
}
await store.outbox.start(target)
report({ kind: 'ready' })
// The relay's own timers keep no process alive; while the server is away nothing else would.
const alive = setInterval(() => undefined, 60_000)
process.once('SIGTERM', async () => {
  await store.outbox.stop()
  await store.pool.end()
  clearInterval(alive)
  report({ kind: 'closed', figures: {} })
})
