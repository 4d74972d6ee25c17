import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

export const blockedLoop: Scenario = {
  id: 'F14',
  title: 'handlers that block the event loop for longer than their lease',
  limitSeconds: { quick: 180, long: 600 },
  quick: { messages: 600, blocks: 2, blockMs: 2_000 },
  long: { messages: 1_000, blocks: 10, blockMs: 5_000 },
  async run(rig, { messages = 0, blocks = 1, blockMs = 0 }) {
    const blockEvery = Math.floor(messages / blocks)
    const crew = startCrew(rig, 2, () => rig.worker({ leaseMs: 1_000, handlerMs: [0, 5], blockEvery, blockMs }))
    await crew.ready
    await publishAll(rig, { count: messages, perSecond: 200 })
    await finish(rig, crew)
  },
}
