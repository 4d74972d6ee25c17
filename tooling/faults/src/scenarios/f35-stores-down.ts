import { setTimeout as delay } from 'node:timers/promises'
import { machineMs } from '../machine-time.ts'
import { startCrew } from '../nemesis/crew.ts'
import { startProxy } from '../nemesis/proxy.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import { begun } from '../recovery.ts'
import type { Rig } from '../rig.ts'
import type { Scenario } from '../scenario.ts'

/** A claim that was asked for before the store went may still begin its handler. */
const graceMs = 1_000

export const storesDown: Scenario = {
  id: 'F35',
  title: 'the stores of dead letters and of claims are out of reach, the rest works',
  limitSeconds: { quick: 240, long: 600 },
  quick: { messages: 900, perSecond: 100, outages: 2, forMs: 3_000 },
  long: { messages: 10_000, perSecond: 100, outages: 3, forMs: 20_000 },
  async run(rig, { messages = 0, perSecond = 0, outages = 0, forMs = 0 }) {
    const way = await startProxy(new URL(rig.database.url))
    const side = new URL(rig.database.url)
    side.port = String(way.port)
    const worker = { keyed: false, claims: true, attempts: 2, leaseMs: 5_000, sideUrl: side.href, connections: 20 }
    const crew = startCrew(rig, 1, () => rig.worker(worker))
    await crew.ready
    const each = Math.floor(messages / outages)
    for (let done = 0; done < outages; done += 1) {
      const first = done * each
      const publishing = publishAll(rig, { first, count: each, perSecond, keys: 0, poisonShare: 0.05 })
      await begun(rig, first, first + each)
      const downMs = machineMs()
      way.down()
      await delay(forMs)
      way.up()
      rig.count('outages')
      judge(rig, downMs, machineMs())
      await publishing
      // Where rows wait until both groups have handled them, a backlog of one outage would stand still in the next.
      await rig.quiet({ groups: ['work', 'claims'] })
    }
    crew.rest()
    await rig.stop(crew.running)
    await rig.checkAll({ atLeastOnce: ['claims'] })
    await expectSameLetters(rig)
    await way.close()
  },
}

/** What needs neither store goes on; what cannot be claimed waits. */
function judge(rig: Rig, downMs: number, upMs: number): void {
  const meanwhile = rig.ledger.of('start').filter(({ atMs }) => atMs > downMs + graceMs && atMs < upMs)
  const unclaimed = meanwhile.filter(({ consumer }) => consumer === 'faults/claims').map(({ message }) => message)
  rig.expect('a handler ran without its claim', unclaimed.length === 0, ...unclaimed.slice(0, 3))
  rig.count('handled meanwhile', meanwhile.length)
  rig.expect('what needs no store stood still', meanwhile.length > 0)
}

/** Both groups fail for the same messages: a letter of one alone is of a message that did not fail by itself. */
async function expectSameLetters(rig: Rig): Promise<void> {
  const { letters } = await rig.database.facts()
  const [work, claims] = ['faults/work', 'faults/claims'].map((consumer) => letters.get(consumer) ?? new Set<string>())
  const alone = [...work!, ...claims!].filter((message) => !work!.has(message) || !claims!.has(message))
  rig.set('dead letters', work!.size + claims!.size)
  rig.expect('no message was dead-lettered', work!.size > 0)
  rig.expect('an outage of a store cost a message its attempts', alone.length === 0, ...alone.slice(0, 3))
}
