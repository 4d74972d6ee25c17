import { setTimeout as delay } from 'node:timers/promises'
import { expectRecovery, finish } from '../finish.ts'
import { machineMs } from '../machine-time.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import { restartServer } from '../nemesis/restart-server.ts'
import type { Scenario } from '../scenario.ts'

export const restartServers: Scenario = {
  id: 'F5',
  title: 'database and broker restarted under load, gracefully and by kill -9',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 2_000, perSecond: 400, restarts: 2, downMs: 1_000 },
  long: { messages: 30_000, perSecond: 300, restarts: 10, downMs: 5_000 },
  async run(rig, { messages = 0, perSecond = 0, restarts = 0, downMs = 0 }) {
    const crew = startCrew(rig, 2, () => rig.worker({ leaseMs: 3_000, handlerMs: [0, 5] }))
    await crew.ready
    const publishing = publishAll(rig, { count: messages, perSecond })
    await rig.flowing()
    const moments: number[] = []
    const servers = new Set([rig.broker ?? rig.store, rig.store])
    for (let done = 0; done < restarts * servers.size; done += 1) {
      await delay(rig.between(800, 2_000))
      const server = [...servers][done % servers.size]!
      const kill = Math.floor(done / servers.size) % 2 === 0
      await restartServer(server, { kill, downMs: rig.between(0, downMs) })
      rig.count('restarts')
      moments.push(machineMs())
    }
    await publishing
    await finish(rig, crew)
    // What fails longest is asked again after ten seconds.
    expectRecovery(rig, moments, 11_000)
  },
}
