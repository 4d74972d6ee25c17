import { setTimeout as delay } from 'node:timers/promises'
import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { freeze } from '../nemesis/freeze.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

export const freezeProcesses: Scenario = {
  id: 'F12',
  title: 'the busiest process stopped for longer than its leases, then continued',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 2_000, perSecond: 300, freezes: 2, forMs: 2_500 },
  long: { messages: 6_000, perSecond: 100, freezes: 8, forMs: 6_000 },
  async run(rig, { messages = 0, perSecond = 0, freezes = 0, forMs = 0 }) {
    const crew = startCrew(rig, 2, (index) =>
      // Hosts whose clocks are half a minute apart, at that.
      rig.worker({ leaseMs: 1_000, handlerMs: [0, 30], clockSkewMs: index % 2 === 0 ? 30_000 : -30_000 }),
    )
    await crew.ready
    const publishing = publishAll(rig, { count: messages, perSecond })
    await rig.flowing()
    for (let done = 0; done < freezes; done += 1) {
      await delay(rig.between(800, 1_500))
      const member = crew.busiest()
      if (member === undefined) continue
      rig.count('freezes')
      await freeze(member, forMs)
    }
    await publishing
    await finish(rig, crew)
  },
}
