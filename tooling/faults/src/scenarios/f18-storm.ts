import { finish } from '../finish.ts'
import type { Ledger } from '../ledger.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const backoffMs = 1_500
const circuit = { failures: 5, successes: 2, openMs: 300 }
const concurrency = 4

export const redeliveryStorm: Scenario = {
  id: 'F18',
  title: 'every handler fails for a while: back-off kept, breaker opens and closes',
  limitSeconds: { quick: 180, long: 600 },
  quick: { messages: 300, failMs: 4_000 },
  long: { messages: 4_000, failMs: 30_000 },
  async run(rig, { messages = 0, failMs = 0 }) {
    const worker = { keyed: false, failForMs: failMs, backoffMs, holdMs: 0, attempts: 100, circuit, concurrency }
    const crew = startCrew(rig, 1, () => rig.worker(worker))
    await crew.ready
    await publishAll(rig, { count: messages, keys: 0 })
    await finish(rig, crew)
    const gapMs = shortestGapMs(rig.ledger)
    rig.set('shortest gap ms', gapMs)
    rig.expect('came back before its delay was over', gapMs >= backoffMs - 5, `${gapMs}`)
    const failed = rig.ledger.of('end').filter((entry) => entry.as === 'thrown').length
    // While it is open one probe goes at a time.
    const allowed = circuit.failures + concurrency + Math.ceil(failMs / circuit.openMs) + 1
    rig.set('failed runs', failed)
    rig.expect('nothing failed', failed > 0)
    rig.expect('the breaker let too many through', failed <= allowed, `${failed} of ${allowed}`)
    const healthy = rig.ledger.of('end').find((entry) => entry.as === 'returned')
    const failUntilMs = rig.ledger.of('start')[0]!.atMs + failMs
    const closedMs = (healthy?.atMs ?? Number.POSITIVE_INFINITY) - failUntilMs
    rig.expect('the breaker stayed open', closedMs <= circuit.openMs * 2 + 5_000, `${closedMs}`)
  },
}

/** Between the failed end of a run and the next start of the same message. */
function shortestGapMs(ledger: Ledger): number {
  const failedAtMs = new Map<string, number>()
  let shortestMs = Number.POSITIVE_INFINITY
  for (const entry of ledger.of('start', 'end')) {
    const before = failedAtMs.get(entry.message)
    if (entry.kind === 'start' && before !== undefined) shortestMs = Math.min(shortestMs, entry.atMs - before)
    if (entry.kind === 'end' && entry.as === 'thrown') failedAtMs.set(entry.message, entry.atMs)
  }
  return shortestMs === Number.POSITIVE_INFINITY ? backoffMs : shortestMs
}
