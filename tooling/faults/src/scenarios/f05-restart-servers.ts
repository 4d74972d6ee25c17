import { setTimeout as delay } from 'node:timers/promises'
import { expectRecovery, finish, recovered } from '../finish.ts'
import { machineMs } from '../machine-time.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import { restartServer } from '../nemesis/restart-server.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../until.ts'

// What fails longest is asked again after ten seconds.
const slowestMs = 11_000

export const restartServers: Scenario = {
  id: 'F5',
  title: 'database and broker restarted under load, gracefully and by kill -9',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 2_000, perSecond: 400, restarts: 2, downMs: 1_000 },
  long: { messages: 9_000, perSecond: 500, restarts: 6, downMs: 5_000 },
  async run(rig, { messages = 0, perSecond = 0, restarts = 0, downMs = 0 }) {
    // A broker that was killed hands over again what it does not know to be given up.
    const recoveryLimitMs = slowestMs + rig.stage.takeoverMs
    const crew = startCrew(rig, 2, () => rig.worker({ leaseMs: 3_000, handlerMs: [0, 5] }))
    await crew.ready
    const servers = [...new Set([rig.broker ?? rig.store, rig.store])]
    const strikes = restarts * servers.length
    const count = Math.floor(messages / strikes)
    const moments: number[] = []
    for (let done = 0; done < strikes; done += 1) {
      const beganMs = machineMs()
      const publishing = publishAll(rig, { first: done * count, count, perSecond })
      // What the last round left behind may be flowing while the publisher of this one still starts.
      await until(() => rig.ledger.newestMs('invoke') > beganMs, 30_000)
      await rig.flowing()
      await delay(rig.between(300, 1_000))
      const kill = Math.floor(done / servers.length) % 2 === 0
      await restartServer(servers[done % servers.length]!, { kill, downMs: rig.between(0, downMs) })
      rig.count('restarts')
      moments.push(machineMs())
      await publishing
      // Struck again before it has recovered, nobody could say how long it takes.
      await recovered(rig, moments.at(-1)!, recoveryLimitMs)
    }
    await finish(rig, crew)
    expectRecovery(rig, moments, recoveryLimitMs)
  },
}
