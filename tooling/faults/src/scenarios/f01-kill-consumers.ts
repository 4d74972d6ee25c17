import { setTimeout as delay } from 'node:timers/promises'
import { expectRecovery, finish, recovered } from '../finish.ts'
import { machineMs } from '../machine-time.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

/** Lease, start of a process on a busy machine, poll. */
const slowestMs = 10_000

export const killConsumers: Scenario = {
  id: 'F1',
  title: 'kill -9 of consumers in mid-handler',
  limitSeconds: { quick: 180, long: 600 },
  quick: { messages: 1_500, perSecond: 400, kills: 4 },
  long: { messages: 12_000, perSecond: 400, kills: 30 },
  async run(rig, { messages = 0, perSecond = 0, kills = 0, batch = 0 }) {
    const recoveryLimitMs = slowestMs + rig.stage.takeoverMs
    const worker = { relayLeaseMs: 1_000, leaseMs: 2_000, handlerMs: [0, 20] as const, batch: batch === 1 }
    const crew = startCrew(rig, 3, () => rig.worker(worker))
    await crew.ready
    const publishing = publishAll(rig, { count: messages, perSecond, flakyShare: 0.02 })
    await rig.flowing()
    const moments: number[] = []
    for (let killed = 0; killed < kills; killed += 1) {
      await delay(rig.between(500, 1_500))
      await crew.killOne()
      moments.push(machineMs())
      // Killed again before they have recovered, nobody could say how long it takes.
      await recovered(rig, moments.at(-1)!, recoveryLimitMs)
      // Nor is a machine on which processes start slowly to be left without any.
      await Promise.all(crew.running.map((member) => member.ready))
    }
    await publishing
    await finish(rig, crew)
    expectRecovery(rig, moments, recoveryLimitMs)
  },
}
