import { setTimeout as delay } from 'node:timers/promises'
import { finish } from '../finish.ts'
import { machineMs } from '../machine-time.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import { openOperator } from '../operator/open-operator.ts'
import type { Refusal } from '../operator/operator.ts'
import { storeRefusal } from '../operator/store-refusal.ts'
import { begun, expectReading } from '../recovery.ts'
import type { Rig } from '../rig.ts'
import type { Scenario } from '../scenario.ts'

const recoveryLimitMs = 15_000

export const noWrites: Scenario = {
  id: 'F22',
  title: 'broker and database refuse to write: full, over their limit, read-only',
  limitSeconds: { quick: 240, long: 900 },
  quick: { messages: 2_000, perSecond: 120, refusals: 4, forMs: 1_000 },
  long: { messages: 20_000, perSecond: 100, refusals: 10, forMs: 10_000 },
  async run(rig, { messages = 0, perSecond = 0, refusals = 0, forMs = 0 }) {
    const operator = rig.broker === undefined ? undefined : await openOperator(rig)
    const ofBroker = operator?.refusals ?? []
    const all = [...ofBroker, storeRefusal(rig.store.url)]
    // Whatever fails meanwhile is not the handler's fault, and it is not to be given up.
    const crew = startCrew(rig, 2, () => rig.worker({ leaseMs: 3_000, handlerMs: [0, 5], attempts: 1_000 }))
    await crew.ready
    const each = Math.floor(messages / refusals)
    for (let done = 0; done < refusals; done += 1) {
      const first = done * each
      const publishing = publishAll(rig, { first, count: each, perSecond })
      await begun(rig, first, first + each)
      const refusal = all[done % all.length]!
      await refuse(rig, refusal, forMs, ofBroker.includes(refusal))
      await publishing
    }
    await finish(rig, crew)
    await operator?.close()
    const untyped = notAccepted(rig, 0).flatMap(({ code }) => (code.startsWith('EVT_') ? [] : [code]))
    rig.expect('a publish failed without a code', untyped.length === 0, ...untyped.slice(0, 3))
  },
}

async function refuse(rig: Rig, refusal: Refusal, forMs: number, isBroker: boolean): Promise<void> {
  const { what } = refusal
  const beganMs = machineMs()
  await refusal.begin()
  try {
    await delay(forMs)
    if (isBroker) {
      const refused = notAccepted(rig, beganMs).length
      const { waiting } = await rig.database.progress()
      rig.set('most rows kept', Math.max(rig.figures['most rows kept'] ?? 0, waiting))
      rig.expect(`no publish was refused: ${what}`, refused > 0)
      rig.expect(`the outbox kept nothing: ${what}`, waiting > 0)
    }
  } finally {
    await refusal.end()
  }
  rig.count('refusals')
  await expectReading(rig, machineMs(), recoveryLimitMs, what)
}

/** What became of publishes past the outbox that were not accepted. */
function notAccepted(rig: Rig, sinceMs: number): readonly { readonly code: string }[] {
  const asked = new Set(rig.ledger.of('invoke').flatMap(({ message, directly }) => (directly ? [message] : [])))
  return rig.ledger.of('fail', 'unknown').filter(({ message, atMs }) => atMs >= sinceMs && asked.has(message))
}
