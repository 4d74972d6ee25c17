import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const crashPoints = [
  'inbox.entered',
  'inbox.handled',
  'delivery.decided',
  'delivery.settled',
  'deadLetter.appended',
  'idempotency.claimed',
  'idempotency.handled',
  'idempotency.settled',
]

/** What a batch passes, too. */
const inBatches = ['inbox.entered', 'inbox.handled', 'delivery.decided', 'delivery.settled', 'deadLetter.appended']

/** All pauses between kills together, each a start of a process and what the stage adds to it. */
const pausesMs = 100_000
const restartMs = 1_500
const leastKills = 8

export const killBeforeSettlement: Scenario = {
  id: 'F2',
  title: 'kill -9 between inbox or claim, handler, dead letter and settlement',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 600, kills: 8 },
  long: { messages: 3_000, kills: 60 },
  crashPoints,
  async run(rig, size) {
    const { messages = 0, batch = 0 } = size
    // What a killed process held stays with it for a while: fewer kills where that is long.
    const most = Math.floor(pausesMs / (restartMs + rig.stage.takeoverMs))
    const kills = Math.min(size.kills ?? 0, Math.max(leastKills, most))
    let planned = 0
    // One consumer alone: what it left behind must come back to itself.
    const crew = startCrew(rig, 1, () => {
      planned += 1
      const reached = batch === 1 ? inBatches : crashPoints
      const points = [reached[planned % reached.length]!]
      const nth = points[0] === 'deadLetter.appended' ? rig.between(1, 3) : rig.between(5, 40)
      const crashes = planned <= kills ? [{ points, nth }] : []
      const claims = batch === 0
      return rig.worker({ relayLeaseMs: 500, leaseMs: 1_000, attempts: 2, batch: batch === 1, claims, crashes })
    })
    await crew.ready
    const share = Math.min(0.1, (2 * kills) / messages)
    await publishAll(rig, { count: messages, perSecond: 300, poisonShare: share })
    await rig.quiet({ groups: batch === 0 ? ['work', 'claims'] : ['work'] })
    crew.rest()
    await rig.stop(crew.running)
    await rig.checkAll({ atLeastOnce: batch === 0 ? ['claims'] : [] })
    const { kills: killed = 0 } = rig.figures
    // A slow machine may be through with the messages before the last kill is due.
    rig.expect('fewer than a quarter of the kills that were planned', killed * 4 >= kills, `${killed} of ${kills}`)
  },
}
