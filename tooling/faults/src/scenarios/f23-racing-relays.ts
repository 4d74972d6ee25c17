import { publishAll } from '../nemesis/publish-all.ts'
import { expectSent } from '../relay-check.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../until.ts'

export const racingRelays: Scenario = {
  id: 'F23',
  title: 'relays that race: each row once while leases hold, in order also while they do not',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 1_200, relays: 3 },
  long: { messages: 12_000, relays: 4 },
  async run(rig, { messages = 0, relays = 0 }) {
    const half = Math.floor(messages / 2)
    const drained = async () => (await rig.database.progress()).waiting === 0
    const phase = async (first: number, program: { leaseMs: number; pauseMs: number }) => {
      const members = Array.from({ length: relays }, () => rig.relay({ ...program, pollMs: 20, batch: 50 }))
      await Promise.all(members.map((member) => member.ready))
      await publishAll(rig, { first, count: half, perSecond: 400, holdMs: 10 })
      await until(drained, 60_000)
      await rig.stop(members)
    }
    await phase(0, { leaseMs: 10_000, pauseMs: 5 })
    await expectSent(rig)
    rig.expect('sent twice though no lease was lost', rig.figures.duplicates === 0, `${rig.figures.duplicates}`)
    // Pauses longer than the lease: every relay believes in a lead that is over.
    await phase(half, { leaseMs: 100, pauseMs: 150 })
    await expectSent(rig)
  },
}
