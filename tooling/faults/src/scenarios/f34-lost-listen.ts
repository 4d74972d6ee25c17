import { setTimeout as delay } from 'node:timers/promises'
import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const relayPollMs = 500

export const lostListen: Scenario = {
  id: 'F34',
  title: 'LISTEN swallowed without a word: polling keeps up',
  limitSeconds: { quick: 180, long: 300 },
  quick: { messages: 100, perSecond: 30 },
  long: { messages: 1_000, perSecond: 50 },
  async run(rig, { messages = 0, perSecond = 0 }) {
    const publisherUrl = rig.databaseUrl
    const [way] = await rig.proxied()
    const crew = startCrew(rig, 1, () => rig.worker({ relayPollMs }))
    await crew.ready
    await delay(300)
    const silenced = way!.halfOpen('listening')
    rig.set('silenced', silenced)
    rig.expect('nobody listened', silenced > 0)
    await publishAll(rig, { databaseUrl: publisherUrl, count: messages, perSecond })
    await finish(rig, crew)
    const committed = new Map(rig.ledger.of('ok').map((entry) => [entry.message, entry.atMs]))
    const waits = rig.ledger.of('start').map((entry) => entry.atMs - (committed.get(entry.message) ?? entry.atMs))
    const longestMs = Math.max(...waits)
    rig.set('longest wait ms', longestMs)
    rig.expect('waited longer than a poll', longestMs <= relayPollMs + 1_000, `${longestMs}`)
  },
}
