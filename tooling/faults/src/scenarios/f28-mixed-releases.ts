import type { Member } from '../member.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const releases = ['older', 'newer', undefined] as const

export const mixedReleases: Scenario = {
  id: 'F28',
  title: 'a rolling restart while publishers of an older and a newer release write at once',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 900, perSecond: 100, restarts: 2 },
  long: { messages: 20_100, perSecond: 150, restarts: 6 },
  async run(rig, { messages = 0, perSecond = 0, restarts = 0 }) {
    const worker = { handlerMs: [0, 10] as const, relayLeaseMs: 2_000 }
    let crew: Member[] = [rig.worker(worker), rig.worker(worker)]
    await Promise.all(crew.map((member) => member.ready))
    const count = messages / releases.length
    const publishing = releases.map((release, place) =>
      publishAll(rig, { first: place * count, count, perSecond, release, keyPrefix: `${release ?? 'same'}-` }),
    )
    await rig.flowing()
    for (let done = 0; done < restarts; done += 1) {
      const [oldest, ...others] = crew
      const next = rig.worker(worker)
      await next.ready
      await rig.stop([oldest!])
      rig.count('restarts')
      crew = [...others, next]
    }
    await Promise.all(publishing)
    await rig.quiet()
    await rig.stop(crew)
    await rig.checkAll()
    const refused = rig.ledger.of('fail').map(({ code }) => code)
    rig.expect('a publish failed', refused.length === 0, ...refused.slice(0, 3))
    const letters = [...(await rig.database.facts()).letters.values()].flatMap((ids) => [...ids])
    rig.expect('an envelope of another release was put aside', letters.length === 0, ...letters.slice(0, 3))
    const leaked = rig.ledger.of('error').filter(({ during }) => during === 'metadata')
    rig.expect('attributes of the envelope among the metadata', leaked.length === 0, ...leaked.map(({ text }) => text))
  },
}
