import { setTimeout as delay } from 'node:timers/promises'
import { finish } from '../finish.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import { terminateSessions } from '../nemesis/terminate-sessions.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../until.ts'

export const endSessions: Scenario = {
  id: 'F7',
  title: 'sessions ended by the server in mid-transaction and around COMMIT',
  limitSeconds: { quick: 180, long: 600 },
  quick: { messages: 2_000, perSecond: 400, strikes: 8 },
  long: { messages: 8_000, perSecond: 300, strikes: 40 },
  async run(rig, { messages = 0, perSecond = 0, strikes = 0 }) {
    const crew = startCrew(rig, 2, () => rig.worker({ handlerMs: [0, 10] }))
    await crew.ready
    const publishing = publishAll(rig, { count: messages, perSecond, rollbackShare: 0.1, holdMs: 20 })
    await rig.flowing()
    for (let done = 0; done < strikes; done += 1) {
      await delay(rig.between(200, 600))
      rig.count('sessions', await terminateSessions(rig.database.pool, 0.5))
    }
    await publishing
    await rig.quiet()
    const sessions = async () => {
      const { rows } = await rig.database.pool.query(
        `select count(*)::int as busy from pg_stat_activity
         where datname = current_database() and application_name <> 'harness' and state like 'idle in transaction%'`,
      )
      return rows[0].busy as number
    }
    rig.expect('a transaction was left open', await until(async () => (await sessions()) === 0, 2_000))
    await finish(rig, crew)
  },
}
