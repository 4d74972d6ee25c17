import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const atStart = ['transport.declared', 'transport.joined', 'transport.groupCreated']
const atWork = ['transport.published', 'transport.claimed', 'transport.settled']
const atEnd = ['transport.left']

export const killInTransport: Scenario = {
  id: 'F2-BROKER',
  title: 'kill -9 between the durable actions of a transport',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 600, kills: 6 },
  long: { messages: 5_000, kills: 100 },
  crashPoints: [...atStart, ...atWork, ...atEnd],
  needs: 'broker',
  async run(rig, { messages = 0, kills = 0 }) {
    let planned = 0
    const crashes = () => {
      planned += 1
      const end = { points: atEnd, nth: 1 }
      if (planned > kills) return [end]
      return [{ points: atStart, nth: planned }, { points: atWork, nth: rig.between(5, 60) }, end]
    }
    const crew = startCrew(rig, 2, () => rig.worker({ relayLeaseMs: 500, leaseMs: 1_000, crashes: crashes() }))
    await publishAll(rig, { count: messages, perSecond: 200 }, crashes)
    await finish(rig, crew)
  },
}
