import { setTimeout as delay } from 'node:timers/promises'
import { dueOf, missing } from '../checker.ts'
import { machineMs } from '../machine-time.ts'
import { startCrew } from '../nemesis/crew.ts'
import { kill } from '../nemesis/kill.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import { openOperator } from '../operator/open-operator.ts'
import type { Operator } from '../operator/operator.ts'
import { expectReading } from '../recovery.ts'
import type { Rig } from '../rig.ts'
import type { Scenario } from '../scenario.ts'
import { type Taking, takenBy } from '../taken.ts'
import { until } from '../until.ts'

const fast = { handlerMs: [0, 2] as const }
/** Work that lies with the broker while it is cut. */
const slow = {
  groups: ['second'],
  relay: false,
  leaseMs: 2_000,
  concurrency: 4,
  prefetch: 8,
  handlerMs: [50, 100] as const,
}
const groups = ['work', 'second']
/** The transport trims every five seconds. */
const trimLimitMs = 30_000

export const cut: Scenario = {
  id: 'F30',
  title: 'messages trimmed while they are pending: never by default, and told where an operator does it',
  limitSeconds: { quick: 240, long: 900 },
  quick: { messages: 600, cuts: 2 },
  long: { messages: 6_000, cuts: 6 },
  needs: 'broker',
  async run(rig, { messages = 0, cuts = 0 }) {
    const operator = await openOperator(rig)
    const crew = startCrew(rig, 1, () => rig.worker(fast))
    const second = startCrew(rig, 1, () => rig.worker(slow))
    await Promise.all([crew.ready, second.ready])
    await byDefault(rig, operator, second.running[0]!.pid, messages)
    await rig.quiet({ groups })
    await rig.checkAll({ groups })
    const takings: Taking[] = []
    for (let done = 0; done < cuts; done += 1) {
      const first = messages * (done + 1)
      await publishAll(rig, { first, count: messages })
      // A message that is delivered and not settled, by somebody who will not come back.
      if (operator.tellsTheAbsent && done % 2 === 1) await kill(second.running[0]!)
      const fromMs = machineMs()
      rig.count('cut', await operator.cut())
      takings.push({ fromMs, untilMs: machineMs() })
      rig.count('cuts')
      await expectReading(rig, machineMs(), 15_000, 'messages were cut')
    }
    await rig.quiet({ groups, patienceMs: 20_000 })
    crew.rest()
    second.rest()
    await rig.stop([...crew.running, ...second.running])
    await rig.checkAll({ groups, taken: takenBy(rig.ledger, takings) })
    await expectTold(rig)
    await operator.close()
  },
}

/** One group is through and the other stands still: what that one has not handled stays, and only that. */
async function byDefault(rig: Rig, operator: Operator, sleeper: number, messages: number): Promise<void> {
  process.kill(sleeper, 'SIGSTOP')
  await publishAll(rig, { count: messages })
  const done = () => rig.ledger.of('end').filter(({ consumer }) => consumer === 'faults/work').length
  await until(() => done() >= messages, 60_000)
  await delay(7_000)
  const kept = await operator.kept()
  const handled = new Set(
    rig.ledger.of('end').flatMap(({ consumer, message }) => (consumer === 'faults/second' ? [message] : [])),
  )
  const open = messages - handled.size
  rig.expect('fewer are kept than a group has still to handle', kept >= open, `${kept} of ${open}`)
  process.kill(sleeper, 'SIGCONT')
  await rig.quiet({ groups })
  const isTrimmed = await until(async () => (await operator.kept()) < messages / 2, trimLimitMs, 500)
  rig.expect('what every group has handled is never trimmed', isTrimmed, `${await operator.kept()} are kept`)
}

/** Whoever lost messages has said so, and how many where that can be known. */
async function expectTold(rig: Rig): Promise<void> {
  const { ledger } = rig
  const facts = await rig.database.facts()
  const due = dueOf(ledger, facts)
  const gone = groups.reduce((sum, group) => sum + missing(facts, `faults/${group}`, due).length, 0)
  const told = ledger.of('error').flatMap(({ during, text }) => (during === 'retention' ? [text.split(' ')[0]!] : []))
  const counted = told.reduce((sum, word) => sum + (word === 'Some' ? Number.POSITIVE_INFINITY : Number(word)), 0)
  rig.set('gone unhandled', gone)
  if (Number.isFinite(counted)) rig.set('told', counted)
  rig.expect('nothing was lost by the cuts, so nothing was tried', gone > 0)
  rig.expect('more messages were lost than anybody told of', counted >= gone, `${counted} of ${gone}`)
}
