import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const mebibyte = 1_048_576
/** Of the bus: 16 MiB. */
const largestBytes = 16 * mebibyte

export const oversized: Scenario = {
  id: 'F21',
  title: 'payloads from nothing to 64 MiB among small ones',
  limitSeconds: { quick: 180, long: 300 },
  quick: { each: 2 },
  long: { each: 10 },
  async run(rig, { each = 0 }) {
    const crew = startCrew(rig, 1, () => rig.worker({ keyed: false, concurrency: 2 }))
    await crew.ready
    const sizes = [0, mebibyte - 1, mebibyte + 1, 10 * mebibyte, 64 * mebibyte]
    let first = 0
    for (const paddingBytes of sizes) {
      await publishAll(rig, { first, count: each, keys: 0, lines: 1, paddingBytes })
      first += each
      await publishAll(rig, { first, count: 5, keys: 0 })
      first += 5
    }
    await finish(rig, crew)
    const failed = rig.ledger.of('fail')
    const refused = failed.filter((entry) => entry.code === 'EVT_PAYLOAD_TOO_LARGE').length
    const tooLarge = sizes.filter((bytes) => bytes > largestBytes).length * each
    rig.expect('not refused by its size', refused === tooLarge, ...failed.map((entry) => entry.code))
    rig.expect('refused though legal', failed.length === refused, ...failed.map((entry) => entry.code))
  },
}
