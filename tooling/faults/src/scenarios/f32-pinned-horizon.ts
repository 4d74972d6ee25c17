import { publishAll } from '../nemesis/publish-all.ts'
import { expectSent } from '../relay-check.ts'
import type { Rig } from '../rig.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../until.ts'

export const pinnedHorizon: Scenario = {
  id: 'F32',
  title: 'a transaction left open, so that nothing deleted can be cleaned away',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 2_000, percent: 50 },
  long: { messages: 60_000, percent: 75 },
  async run(rig, { messages = 0, percent = 0 }) {
    const relay = rig.relay({ pollMs: 20 })
    await relay.ready
    const free = await throughput(rig, 0, messages)
    const holder = await rig.database.pool.connect()
    await holder.query('begin isolation level repeatable read')
    await holder.query('select pg_current_xact_id()')
    const pinned = await throughput(rig, messages, messages)
    await holder.query('commit')
    holder.release()
    await rig.stop([relay])
    await expectSent(rig)
    rig.set('percent of free', (pinned / free) * 100)
    rig.expect('slower than allowed', pinned >= (free * percent) / 100, `${pinned} of ${free} a second`)
  },
}

/** Messages a second from the first publish to the last that was sent. */
async function throughput(rig: Rig, first: number, count: number): Promise<number> {
  await publishAll(rig, { first, count, lines: 12 })
  await until(async () => (await rig.database.progress()).waiting === 0, 60_000)
  const own = rig.ledger.of('invoke').filter((entry) => entry.number >= first)
  const lastMs = rig.ledger.of('sent').at(-1)?.atMs ?? Number.POSITIVE_INFINITY
  return count / ((lastMs - own[0]!.atMs) / 1_000)
}
