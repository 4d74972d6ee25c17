import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

export const duplicates: Scenario = {
  id: 'F16',
  title: 'a third of all messages delivered twice and mixed, handlers that fail at first, two groups',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 1_500 },
  long: { messages: 6_000 },
  async run(rig, { messages = 0, batch = 0 }) {
    const groups = ['work', 'second']
    const disorder = { share: 0.3, window: 50 }
    const worker = { keyed: false, groups, disorder, handlerMs: [0, 5] as const, batch: batch === 1 }
    const crew = startCrew(rig, 1, () => rig.worker({ ...worker, connections: 24 }))
    await crew.ready
    await publishAll(rig, { count: messages, keys: 0, flakyShare: 0.1 })
    await finish(rig, crew, { groups })
  },
}
