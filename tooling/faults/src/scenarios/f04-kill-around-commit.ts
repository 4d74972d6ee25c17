import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const crashPoints = ['tx.beforeCommit', 'tx.afterCommit']

export const killAroundCommit: Scenario = {
  id: 'F4',
  title: 'kill -9 of business process and handlers around COMMIT',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 1_000, kills: 6 },
  long: { messages: 5_000, kills: 25 },
  crashPoints,
  async run(rig, { messages = 0, kills = 0 }) {
    let planned = 0
    const crash = () => {
      planned += 1
      if (planned > kills) return []
      return [{ points: crashPoints, nth: rig.between(10, Math.max(20, Math.floor(messages / kills))) }]
    }
    const crew = startCrew(rig, 1, () => rig.worker({ relayLeaseMs: 500, leaseMs: 1_000, crashes: crash() }))
    await crew.ready
    await publishAll(rig, { count: messages, rollbackShare: 0.3 }, crash)
    await rig.quiet()
    crew.rest()
    await rig.stop(crew.running)
    await rig.checkAll()
  },
}
