import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import { messageId } from '../programs/messages.ts'
import type { Scenario } from '../scenario.ts'

const mebibyte = 1_048_576
/** Of the bus. */
const largestOfBus = 16 * mebibyte
/** More than headers and the rest of the payload take. */
const margin = 4_096

export const oversized: Scenario = {
  id: 'F21',
  title: 'payloads from nothing to 64 MiB among small ones',
  limitSeconds: { quick: 180, long: 300 },
  quick: { each: 2 },
  long: { each: 3 },
  async run(rig, { each = 0 }) {
    const crew = startCrew(rig, 1, () => rig.worker({ keyed: false, concurrency: 2 }))
    await crew.ready
    const largest = rig.stage.largestBytes ?? largestOfBus
    const sizes = [0, largest - margin, mebibyte - 1, mebibyte + 1, largest + 1, 10 * mebibyte, 64 * mebibyte]
    const aside = new Set<string>()
    let refused = 0
    let first = 0
    for (const paddingBytes of sizes) {
      // On a broker every other one goes past the outbox.
      await publishAll(rig, { first, count: each, keys: 0, lines: 2, paddingBytes })
      // In a transaction nobody asks the broker: the relay puts such a row aside and goes on.
      if (paddingBytes > largest && paddingBytes <= largestOfBus) {
        for (let index = 0; index < each; index += 2) aside.add(messageId(first + index))
        refused += Math.floor(each / 2)
      }
      first += each
      await publishAll(rig, { first, count: 5, keys: 0 })
      first += 5
    }
    await finish(rig, crew, { extra: -aside.size, taken: () => aside })
    const sql = 'select message_id from evt_outbox where refused is not null'
    const { rows } = await rig.database.pool.query<{ message_id: string }>(sql)
    const parked = rows.map((row) => row.message_id)
    rig.set('put aside', parked.length)
    rig.expect('not put aside', parked.length === aside.size && parked.every((id) => aside.has(id)), ...parked)
    const failed = rig.ledger.of('fail').map((entry) => entry.code)
    const refusedBy = (code: string) => failed.filter((each) => each === code).length
    const tooLarge = sizes.filter((bytes) => bytes > largestOfBus).length * each
    rig.expect('not refused by the bus', refusedBy('EVT_PAYLOAD_TOO_LARGE') === tooLarge, ...failed)
    rig.expect('not refused by the broker', refusedBy('EVT_PUBLISH_REFUSED') === refused, ...failed)
    rig.expect('refused though legal', failed.length === tooLarge + refused, ...failed)
  },
}
