import { setTimeout as delay } from 'node:timers/promises'
import { finish } from '../finish.ts'
import { machineMs } from '../machine-time.ts'
import { type Crew, startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import { openOperator } from '../operator/open-operator.ts'
import type { Loss, Operator } from '../operator/operator.ts'
import { begun, expectReading } from '../recovery.ts'
import type { Rig } from '../rig.ts'
import type { Scenario } from '../scenario.ts'
import { type Taking, takenBy } from '../taken.ts'
import { until } from '../until.ts'
import { expectCalm } from '../usage.ts'

const worker = { leaseMs: 3_000, handlerMs: [0, 5] as const }
const recoveryLimitMs = 11_000
const newGroupLimitMs = 60_000
const restMs = 4_000

export const lostState: Scenario = {
  id: 'F6',
  title: 'the broker loses the stream, the group or everything under load',
  limitSeconds: { quick: 240, long: 900 },
  quick: { messages: 2_000, perSecond: 200, strikes: 4 },
  long: { messages: 10_000, perSecond: 100, strikes: 15 },
  needs: 'broker',
  async run(rig, { messages = 0, perSecond = 0, strikes = 0 }) {
    const operator = await openOperator(rig)
    const takings: Taking[] = []
    const make = () => startCrew(rig, 2, () => rig.worker(worker))
    let crew = make()
    await crew.ready
    const strike = async (loss: Loss) => {
      const fromMs = machineMs()
      if (loss.needsNobody === true) {
        crew.rest()
        await rig.stop(crew.running)
      }
      await loss.strike()
      const untilMs = machineMs()
      if (loss.takesMessages) takings.push({ fromMs, untilMs })
      if (loss.needsNobody === true) {
        crew = make()
        await crew.ready
      }
      rig.count('strikes')
      return machineMs()
    }
    const half = Math.floor(messages / 2)
    const underLoad = async (losses: readonly Loss[], first: number) => {
      const publishing = publishAll(rig, { first, count: half, perSecond, flakyShare: 0.05 })
      await begun(rig, first, first + half)
      for (let done = 0; done < Math.ceil(strikes / 2); done += 1) {
        await delay(rig.between(500, 1_000))
        const loss = losses[done % losses.length]!
        await expectRecovery(rig, await strike(loss), loss)
      }
      await publishing
      await rig.quiet({ patienceMs: 15_000 })
    }
    // What leaves the messages where they are excuses the loss of none.
    await underLoad(
      operator.losses.filter(({ takesMessages }) => !takesMessages),
      0,
    )
    await rig.checkAll()
    await underLoad(
      operator.losses.filter(({ takesMessages }) => takesMessages),
      half,
    )
    const taken = takenBy(rig.ledger, takings)
    rig.set('of unknown fate', taken('faults/work').size)
    await atRest(rig, operator, crew, strike)
    await finish(rig, crew, { patienceMs: 5_000, taken })
    await failing(rig, operator)
    await operator.close()
  },
}

/** What was published after the loss reaches a handler, and somebody said what had happened. */
async function expectRecovery(rig: Rig, lostMs: number, { what, needsNobody }: Loss): Promise<void> {
  // Nobody was there to notice it, and a group made anew passes everything that is kept before what is new.
  if (needsNobody === true) return expectReading(rig, lostMs, newGroupLimitMs, what)
  await expectReading(rig, lostMs, recoveryLimitMs, what)
  const told = () => rig.ledger.of('error').some(({ during, atMs }) => during !== 'connection' && atMs > lostMs)
  rig.expect(`nobody reported it: ${what}`, await until(told, recoveryLimitMs))
}

/** With nothing to do, getting over a loss costs next to nothing. */
async function atRest(
  rig: Rig,
  { losses }: Operator,
  crew: Crew,
  strike: (loss: Loss) => Promise<number>,
): Promise<void> {
  for (const loss of losses) {
    if (loss.needsNobody === true) continue
    await strike(loss)
    await expectCalm(rig, crew.running[0]!, loss.what, restMs)
  }
}

/** A subscription that is not to make anything again says so, and does not spin either. */
async function failing(rig: Rig, { losses }: Operator): Promise<void> {
  if (rig.stage.failsOnMissing !== true) return
  const strict = startCrew(rig, 1, () => rig.worker({ ...worker, relay: false, onMissing: 'fail' }))
  await strict.ready
  for (const loss of losses.filter(({ needsNobody }) => needsNobody !== true).slice(0, 1)) {
    const beganMs = machineMs()
    await loss.strike()
    await expectCalm(rig, strict.running[0]!, `${loss.what}, and nothing is made again`, restMs)
    const told = rig.ledger
      .of('error')
      .some(({ atMs, text }) => atMs > beganMs && /gone|missing|not on the server/i.test(text))
    rig.expect(`nobody said what is missing: ${loss.what}`, told)
  }
  strict.rest()
  await rig.stop(strict.running)
}
