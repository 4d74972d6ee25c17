import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import { expectSent } from '../relay-check.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../until.ts'

const crashPoints = ['outbox.led', 'outbox.published', 'outbox.deleted', 'outbox.refused', 'outbox.parked']
const rare = new Set(['outbox.led', 'outbox.refused', 'outbox.parked'])
const batch = 50

export const killRelays: Scenario = {
  id: 'F3',
  title: 'kill -9 of relays between taking the lead, publishing, deleting and going on',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 1_500, kills: 8 },
  long: { messages: 10_000, kills: 50 },
  crashPoints,
  async run(rig, { messages = 0, kills = 0 }) {
    let planned = 0
    const crew = startCrew(rig, 2, () => {
      planned += 1
      const points = [crashPoints[planned % crashPoints.length]!]
      const nth = rare.has(points[0]!) ? 1 : rig.between(1, 8)
      const crashes = planned <= kills ? [{ points, nth }] : []
      return rig.relay({ leaseMs: 500, batch, pauseMs: 4, refuseShare: 0.01, crashes })
    })
    await crew.ready
    await publishAll(rig, { count: messages, perSecond: 400, rollbackShare: 0.3 })
    await until(async () => (await rig.database.progress()).waiting === 0, 30_000)
    crew.rest()
    await rig.stop(crew.running)
    await expectSent(rig)
    const { kills: killed = 0, duplicates = 0 } = rig.figures
    rig.expect('more duplicates than kills explain', duplicates <= (killed + 1) * batch * 2, `${duplicates}`)
  },
}
