import { setTimeout as delay } from 'node:timers/promises'
import { machineMs } from '../machine-time.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import { longestRecoveryMs } from '../rig.ts'
import type { Scenario } from '../scenario.ts'

const relayLeaseMs = 1_000

export const killConsumers: Scenario = {
  id: 'F1',
  title: 'kill -9 of consumers in mid-handler',
  limitSeconds: { quick: 60, long: 600 },
  quick: { messages: 1_500, perSecond: 400, kills: 4 },
  long: { messages: 50_000, perSecond: 1_000, kills: 60 },
  async run(rig, size) {
    const { messages = 0, perSecond = 0, kills = 0, batch = 0 } = size
    const crew = startCrew(rig, 3, () =>
      rig.worker({ relayLeaseMs, leaseMs: 2_000, handlerMs: [0, 20], batch: batch === 1 }),
    )
    await crew.ready
    const publishing = publishAll(rig, { count: messages, perSecond, flakyShare: 0.02 })
    const moments: number[] = []
    for (let killed = 0; killed < kills; killed += 1) {
      await delay(rig.between(500, 1_500))
      await crew.killOne()
      moments.push(machineMs())
    }
    await publishing
    await rig.quiet()
    crew.rest()
    await rig.stop(crew.running)
    await rig.checkAll()
    const recoveryMs = longestRecoveryMs(rig.ledger, moments)
    rig.set('recovery ms', recoveryMs)
    rig.expect('recovery took longer than lease and start', recoveryMs < 10_000, `${recoveryMs} ms`)
  },
}
