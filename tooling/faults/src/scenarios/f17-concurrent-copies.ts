import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

export const concurrentCopies: Scenario = {
  id: 'F17',
  title: 'many deliveries of one id at once',
  limitSeconds: { quick: 180, long: 600 },
  quick: { messages: 60, copies: 20 },
  long: { messages: 200, copies: 20 },
  async run(rig, { messages = 0, copies = 0 }) {
    const crew = startCrew(rig, 1, () =>
      rig.worker({ keyed: false, concurrency: 20, connections: 30, handlerMs: [5, 30] }),
    )
    await crew.ready
    await publishAll(rig, { count: messages, keys: 0, copies, flakyShare: 0.2 })
    await finish(rig, crew)
  },
}
