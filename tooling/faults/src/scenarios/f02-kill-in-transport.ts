import { openBrokerLetters } from '../broker-letters.ts'
import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const atStart = ['transport.declared', 'transport.joined', 'transport.groupCreated']
const atWork = [
  'transport.published',
  'transport.claimed',
  'transport.startsRecorded',
  'transport.committed',
  'transport.settled',
]
/** What only messages pass that fail. */
const atFailures = [
  'jetstream.attemptsWritten',
  'jetstream.deadLettersKept',
  'kafka.retriesWritten',
  'kafka.deadLettersKept',
]
const atEnd = ['transport.left', 'jetstream.unreadWritten']

export const killInTransport: Scenario = {
  id: 'F2-BROKER',
  title: 'kill -9 between the durable actions of a transport, its own dead letters and retries included',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 600, kills: 6 },
  long: { messages: 3_000, kills: 50 },
  crashPoints: [...atStart, ...atWork, ...atFailures, ...atEnd],
  needs: 'broker',
  async run(rig, { messages = 0, kills = 0 }) {
    let planned = 0
    const crashes = () => {
      planned += 1
      const end = { points: atEnd, nth: 1 }
      if (planned > kills) return [end]
      return [
        { points: atStart, nth: planned },
        { points: atWork, nth: rig.between(5, 60) },
        // One name each, so that what is passed often does not hide what is passed seldom.
        { points: [atFailures[planned % atFailures.length]!], nth: rig.between(1, 3) },
        end,
      ]
    }
    const worker = { keyed: false, relayLeaseMs: 500, leaseMs: 1_000, attempts: 3, holdMs: 0, brokerLetters: true }
    const crew = startCrew(rig, 2, () => rig.worker({ ...worker, crashes: crashes() }))
    await publishAll(rig, { count: messages, perSecond: 200, keys: 0, flakyShare: 0.1, poisonShare: 0.03 }, crashes)
    const letters = await openBrokerLetters(rig)
    await finish(rig, crew, { beforeLook: letters.collect })
    await letters.close()
    for (const { point } of rig.ledger.of('crash')) rig.count(`at ${point}`)
    const { kills: killed = 0 } = rig.figures
    rig.expect('fewer than a quarter of the kills that were planned', killed * 4 >= kills, `${killed} of ${kills}`)
  },
}
