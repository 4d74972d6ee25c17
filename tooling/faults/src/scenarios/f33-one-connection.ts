import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

export const oneConnection: Scenario = {
  id: 'F33',
  title: 'pools of one connection; serialization failures and deadlocks',
  limitSeconds: { quick: 180, long: 600 },
  quick: { messages: 800 },
  long: { messages: 4_000 },
  async run(rig, { messages = 0 }) {
    const worker = { connections: 1, sqlFailureShare: 0.05, attempts: 20, handlerMs: [0, 3] as const }
    const crew = startCrew(rig, 2, () => rig.worker(worker))
    await crew.ready
    await publishAll(rig, { count: messages, connections: 1 })
    await finish(rig, crew)
  },
}
