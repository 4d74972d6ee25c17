import type { Scenario } from '../scenario.ts'

export const cycles: Scenario = {
  id: 'F37',
  title: 'a thousand subscriptions opened and closed leave nothing behind',
  limitSeconds: { quick: 180, long: 120 },
  quick: { cycles: 300 },
  long: { cycles: 1_000 },
  async run(rig, size) {
    const member = rig.cycles({ ...rig.base(), cycles: size.cycles ?? 0 })
    const { code, stderr } = await member.ended
    rig.expect('it broke off', code === 0, stderr)
    const { heapPercent = 0, ...left } = rig.ledger.of('closed')[0]?.figures ?? {}
    rig.expect('it told nothing', left.connections !== undefined)
    rig.set('heap percent', heapPercent)
    for (const [what, count] of Object.entries(left)) rig.expect(`${what} are left`, count <= 0, `${count}`)
    // After a few hundred cycles what the engine still warms up weighs more than what a cycle could leave.
    const limitPercent = (size.cycles ?? 0) < 1_000 ? 5 : 2
    rig.expect('the heap has grown', heapPercent <= limitPercent, `${heapPercent} %`)
  },
}
