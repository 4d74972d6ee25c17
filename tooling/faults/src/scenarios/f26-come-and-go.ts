import { setTimeout as delay } from 'node:timers/promises'
import type { Member } from '../member.ts'
import { kill } from '../nemesis/kill.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Rig } from '../rig.ts'
import type { Scenario } from '../scenario.ts'

const fewest = 2
const most = 4

export const comeAndGo: Scenario = {
  id: 'F26',
  title: 'consumers join, leave and are killed every few seconds during long handlers',
  limitSeconds: { quick: 240, long: 900 },
  quick: { messages: 1_000, perSecond: 80, changes: 8, everyMs: 1_200, longestMs: 600 },
  long: { messages: 6_000, perSecond: 30, changes: 60, everyMs: 3_000, longestMs: 4_000 },
  needs: 'broker',
  async run(rig, { messages = 0, perSecond = 0, changes = 0, everyMs = 0, longestMs = 0 }) {
    const group = startGroup(rig, longestMs)
    await Promise.all([group.join(), group.join()])
    const publishing = publishAll(rig, { count: messages, perSecond, keys: 16 })
    await rig.flowing()
    for (let done = 0; done < changes; done += 1) {
      await delay(everyMs)
      await group.change()
    }
    await publishing
    // Whatever was committed beyond a message whose handler was still at work is lost by now: nobody has it.
    await rig.quiet({ patienceMs: 20_000 + longestMs })
    await group.end()
    await rig.checkAll()
  },
}

function startGroup(rig: Rig, longestMs: number) {
  const members = new Set<Member>()
  const pick = () => [...members][rig.between(0, members.size - 1)]!
  const join = async () => {
    const member = rig.worker({
      handlerMs: [0, longestMs],
      leaseMs: 3_000,
      concurrency: 32,
      connections: 40,
      statementTimeoutMs: 10_000,
    })
    members.add(member)
    rig.count('joins')
    await member.ready
  }
  const leave = async () => {
    const member = pick()
    members.delete(member)
    rig.count('leaves')
    await rig.stop([member])
  }
  const die = async () => {
    const member = pick()
    members.delete(member)
    rig.count('kills')
    await kill(member)
    await join()
  }
  return {
    join,
    change() {
      if (members.size <= fewest) return join()
      return rig.random() < 0.4 ? die() : rig.random() < 0.5 || members.size >= most ? leave() : join()
    },
    end: () => rig.stop([...members]),
  }
}
