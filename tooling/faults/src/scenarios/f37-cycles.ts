import type { Scenario } from '../scenario.ts'

/** Less than half a kilobyte for each of those counted. */
const limitKb = 256

export const cycles: Scenario = {
  id: 'F37',
  title: 'a thousand subscriptions opened and closed leave nothing behind',
  limitSeconds: { quick: 180, long: 600 },
  quick: { cycles: 300 },
  long: { cycles: 1_000 },
  async run(rig, size) {
    const member = rig.cycles({ ...rig.base(), cycles: size.cycles ?? 0 })
    const { code, stderr } = await member.ended
    rig.expect('it broke off', code === 0, stderr)
    const { heapKb = 0, ...left } = rig.ledger.of('closed')[0]?.figures ?? {}
    rig.expect('it told nothing', left.connections !== undefined)
    rig.set('heap grown KB', heapKb)
    for (const [what, count] of Object.entries(left)) rig.expect(`${what} are left`, count <= 0, `${count}`)
    rig.expect('the heap has grown', heapKb <= limitKb, `${heapKb} KB`)
  },
}
