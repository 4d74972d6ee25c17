import { setTimeout as delay } from 'node:timers/promises'
import { expectRecovery, finish, recovered } from '../finish.ts'
import { machineMs } from '../machine-time.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const recoveryLimitMs = 11_000

export const partition: Scenario = {
  id: 'F9',
  title: 'the way to the servers cut: connections reset, then refused for a while',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 2_000, perSecond: 400, cuts: 3, mostMs: 1_500 },
  long: { messages: 8_000, perSecond: 150, cuts: 12, mostMs: 6_000 },
  async run(rig, { messages = 0, perSecond = 0, cuts = 0, mostMs = 0 }) {
    const ways = await rig.proxied()
    const crew = startCrew(rig, 2, () => rig.worker({ handlerMs: [0, 5] }))
    await crew.ready
    const publishing = publishAll(rig, { count: messages, perSecond })
    await rig.flowing()
    const moments: number[] = []
    for (let done = 0; done < cuts; done += 1) {
      await delay(rig.between(500, 1_500))
      for (const way of ways) way.down()
      await delay(rig.between(Math.min(mostMs, 500), mostMs))
      for (const way of ways) way.up()
      rig.count('cuts')
      const moment = machineMs()
      moments.push(moment)
      // Cut off again before it has recovered, nobody could say how long it takes.
      await recovered(rig, moment, recoveryLimitMs)
    }
    await publishing
    await finish(rig, crew)
    expectRecovery(rig, moments, recoveryLimitMs)
  },
}
