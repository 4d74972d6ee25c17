import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

export const slowNetwork: Scenario = {
  id: 'F11',
  title: 'a way to the servers with latency, little bandwidth and chunks of seven bytes',
  limitSeconds: { quick: 180, long: 600 },
  quick: { messages: 80 },
  long: { messages: 400 },
  async run(rig, { messages = 0 }) {
    const ways = await rig.proxied()
    const crew = startCrew(rig, 1, () => rig.worker({ leaseMs: 10_000, relayLeaseMs: 5_000 }))
    await crew.ready
    for (const way of ways) way.poison({ latencyMs: 20, jitterMs: 20 }, rig.random)
    await publishAll(rig, { count: messages / 2, paddingBytes: 500 })
    for (const way of ways) way.poison({ bytesPerSecond: 65_536, sliceBytes: 7 })
    await publishAll(rig, { first: messages, count: messages / 2, paddingBytes: 500 })
    await finish(rig, crew)
  },
}
