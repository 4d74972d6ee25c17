import { setTimeout as delay } from 'node:timers/promises'
import type { Member } from '../member.ts'
import { kill } from '../nemesis/kill.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Rig } from '../rig.ts'
import type { Scenario } from '../scenario.ts'

/** Where a key is handled by one process at a time, one key gets through a message in half of `longestMs`. */
const keys = 64
const fewest = 2
const most = 4

export const comeAndGo: Scenario = {
  id: 'F26',
  title: 'consumers join, leave and are killed every few seconds during long handlers',
  limitSeconds: { quick: 240, long: 900 },
  quick: { messages: 300, perSecond: 80, changes: 8, everyMs: 1_000, longestMs: 600 },
  long: { messages: 1_000, perSecond: 15, changes: 60, everyMs: 3_000, longestMs: 4_000 },
  needs: 'broker',
  async run(rig, { messages = 0, perSecond = 0, changes = 0, everyMs = 0, longestMs = 0 }) {
    const group = startGroup(rig, longestMs)
    await Promise.all([group.join(), group.join(), group.join()])
    let isEnough = false
    const publishing = (async () => {
      for (let first = 0; !isEnough; first += messages)
        await publishAll(rig, { first, count: messages, perSecond, keys })
    })()
    await rig.flowing()
    for (let done = 0; done < changes; done += 1) {
      await delay(everyMs)
      await group.change()
    }
    isEnough = true
    await publishing
    // Whatever was committed beyond a message whose handler was still at work is lost by now: nobody has it.
    await rig.quiet({ patienceMs: 20_000 + longestMs })
    await group.end()
    await rig.checkAll()
  },
}

function startGroup(rig: Rig, longestMs: number) {
  const working = new Set<Member>()
  const take = () => {
    const member = [...working][rig.between(0, working.size - 1)]!
    working.delete(member)
    return member
  }
  const join = async () => {
    rig.count('joins')
    const member = rig.worker({
      handlerMs: [0, longestMs],
      leaseMs: 3_000,
      concurrency: 32,
      connections: 40,
      statementTimeoutMs: 10_000,
    })
    working.add(member)
    void member.ended.then(({ stderr }) => rig.expect('a worker died by itself', !working.has(member), stderr))
    await member.ready
  }
  return {
    join,
    async change() {
      if (working.size <= fewest || (working.size < most && rig.random() < 0.3)) await join()
      else if (rig.random() < 0.5) {
        rig.count('kills')
        await kill(take())
      } else {
        rig.count('leaves')
        await rig.stop([take()])
      }
    },
    end() {
      const all = [...working]
      working.clear()
      return rig.stop(all)
    },
  }
}
