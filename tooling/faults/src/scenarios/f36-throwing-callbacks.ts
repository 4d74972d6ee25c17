import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

export const throwingCallbacks: Scenario = {
  id: 'F36',
  title: 'handler, middleware, filter, classifier, logger and hooks throw whatever can be thrown',
  limitSeconds: { quick: 180, long: 300 },
  quick: { messages: 1_000 },
  long: { messages: 6_000 },
  async run(rig, { messages = 0 }) {
    const crew = startCrew(rig, 1, () => rig.worker({ throwing: true, attempts: 20 }))
    await crew.ready
    await publishAll(rig, { count: messages, poisonShare: 0.005 })
    await finish(rig, crew)
    const unhandled = rig.ledger.of('error').filter((entry) => entry.during === 'unhandled rejection')
    rig.expect('a rejection was handled by nobody', unhandled.length === 0, ...unhandled.map((entry) => entry.text))
  },
}
