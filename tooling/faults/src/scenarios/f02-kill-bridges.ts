import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

export const killBridges: Scenario = {
  id: 'F2-BRIDGE',
  title: 'kill -9 of bridges between forwarding from the PostgreSQL transport and acknowledging there',
  limitSeconds: { quick: 180, long: 600 },
  quick: { messages: 600, kills: 6 },
  long: { messages: 3_000, kills: 30 },
  crashPoints: ['bridge.forwarded'],
  needs: 'anotherBroker',
  async run(rig, { messages = 0, kills = 0 }) {
    let planned = 0
    const bridges = startCrew(rig, 2, () => {
      planned += 1
      const crash = { points: ['bridge.forwarded'], nth: rig.between(5, 60) }
      return rig.bridge({ crashes: planned <= kills ? [crash] : [] })
    })
    const crew = startCrew(rig, 1, () => rig.worker({ relay: false }))
    await Promise.all([bridges.ready, crew.ready])
    const onStore = { stage: 'pg', brokerUrl: rig.databaseUrl }
    await publishAll(rig, { ...onStore, count: messages, perSecond: 200 })
    await rig.quiet()
    bridges.rest()
    await rig.stop(bridges.running)
    await finish(rig, crew, { judgesItself: true })
    // Two bridges read one topic that keeps order inside a process, whatever the other side does.
    await rig.checkAll({ ordered: false })
    const { kills: killed = 0 } = rig.figures
    rig.expect('fewer than a quarter of the kills that were planned', killed * 4 >= kills, `${killed} of ${kills}`)
  },
}
