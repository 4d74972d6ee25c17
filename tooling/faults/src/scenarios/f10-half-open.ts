import { setTimeout as delay } from 'node:timers/promises'
import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const statementTimeoutMs = 2_000
const limitMs = 10_000

export const halfOpen: Scenario = {
  id: 'F10',
  title: 'connections that swallow everything and never end',
  limitSeconds: { quick: 180, long: 600 },
  quick: { messages: 600, perSecond: 100, strikes: 1 },
  long: { messages: 3_000, perSecond: 50, strikes: 8 },
  async run(rig, { messages = 0, perSecond = 0, strikes = 0 }) {
    const ways = await rig.proxied()
    const crew = startCrew(rig, 2, () => rig.worker({ handlerMs: [0, 5], statementTimeoutMs, leaseMs: 3_000 }))
    await crew.ready
    const publishing = publishAll(rig, { count: messages, perSecond, statementTimeoutMs })
    await rig.flowing()
    for (let done = 0; done < strikes; done += 1) {
      await delay(rig.between(1_000, 2_000))
      for (const way of ways) rig.count('connections', way.halfOpen())
      await delay(rig.between(4_000, 6_000))
    }
    await publishing
    await finish(rig, crew)
    const asked = new Map(rig.ledger.of('invoke').map(({ message, atMs }) => [message, atMs]))
    const answers = [...rig.ledger.of('ok'), ...rig.ledger.of('fail'), ...rig.ledger.of('unknown')]
    const longestMs = Math.max(...answers.map(({ message, atMs }) => atMs - asked.get(message)!))
    rig.set('longest publish ms', longestMs)
    rig.expect(`a publish took more than ${limitMs} ms`, longestMs <= limitMs, `${longestMs}`)
  },
}
