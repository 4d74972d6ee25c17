import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const concurrency = 16
const prefetch = 32
const grownMb = 64

export const slowConsumer: Scenario = {
  id: 'F13',
  title: 'a slow consumer behind a fast producer: bounds on memory and on what is in flight',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 3_000, handlerMs: 20 },
  long: { messages: 100_000, handlerMs: 50 },
  async run(rig, { messages = 0, handlerMs = 0 }) {
    const worker = { keyed: false, concurrency, prefetch, handlerMs: [handlerMs, handlerMs] as const }
    const crew = startCrew(rig, 1, () => rig.worker(worker))
    await crew.ready
    await publishAll(rig, { count: messages, keys: 0, paddingBytes: 1_024, lines: 24, connections: 24 })
    await finish(rig, crew)
    const closed = rig.ledger.of('closed').find(({ figures }) => figures.outstanding !== undefined)
    const { outstanding = 0, mostRunning = 0, rssMb = 0, firstRssMb = 0 } = closed?.figures ?? {}
    rig.set('most outstanding', outstanding)
    rig.set('grown MB', rssMb - firstRssMb)
    rig.expect('more handlers at once than allowed', mostRunning <= concurrency, `${mostRunning}`)
    // Fetched, running, and decided but not yet settled.
    rig.expect('more fetched than allowed', outstanding <= 2 * (prefetch + concurrency), `${outstanding}`)
    rig.expect(`memory grew by more than ${grownMb} MB`, rssMb - firstRssMb <= grownMb, `${rssMb - firstRssMb}`)
  },
}
