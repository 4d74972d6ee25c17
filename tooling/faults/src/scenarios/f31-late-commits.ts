import { setTimeout as delay } from 'node:timers/promises'
import type { PgTransaction } from '@evt/pg'
import { storedMessage } from '../harness-messages.ts'
import { expectSent } from '../relay-check.ts'
import type { Rig } from '../rig.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../until.ts'

const perRound = 20

export const lateCommits: Scenario = {
  id: 'F31',
  title: 'transactions that began or wrote early and commit late, while others commit',
  limitSeconds: { quick: 180, long: 600 },
  quick: { rounds: 8 },
  long: { rounds: 100 },
  async run(rig, { rounds = 0 }) {
    const relays = [rig.relay({ pollMs: 10 }), rig.relay({ pollMs: 10 })]
    await Promise.all(relays.map((relay) => relay.ready))
    for (let round = 0; round < rounds; round += 1) await runRound(rig, round * 100)
    await until(async () => (await rig.database.progress()).waiting === 0, 20_000)
    await rig.stop(relays)
    await expectSent(rig)
  },
}

async function runRound(rig: Rig, first: number): Promise<void> {
  const { pool, outbox } = rig.database
  const key = `k${first}`
  let release!: () => void
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  // A transaction of somebody else's: its row is written at once, under a low id, and committed last.
  const foreign = await pool.connect()
  await foreign.query('begin')
  await order(foreign, first, `early${first}`)
  await outbox.append(foreign, [storedMessage(rig, { number: first, key: `early${first}` })])
  // One that begins first and publishes last.
  let begun!: () => void
  const hasBegun = new Promise<void>((resolve) => {
    begun = resolve
  })
  const last = first + perRound + 1
  const late = outbox.run(async (transaction) => {
    await order(transaction, last, key)
    begun()
    await gate
    await outbox.append(transaction, [storedMessage(rig, { number: last, key })])
  })
  await hasBegun
  for (let number = first + 1; number <= first + perRound; number += 1) await commit(rig, number, key)
  await delay(rig.between(0, 40))
  release()
  await late
  await delay(rig.between(0, 40))
  await foreign.query('commit')
  foreign.release()
}

function order(to: { query: PgTransaction['query'] }, number: number, key: string): Promise<unknown> {
  const values = [`m${number}`, key, number]
  return to.query('insert into fault_orders (message, key, number) values ($1, $2, $3)', values)
}

async function commit(rig: Rig, number: number, key: string): Promise<void> {
  await rig.database.outbox.run(async (transaction) => {
    await order(transaction, number, key)
    await rig.database.outbox.append(transaction, [storedMessage(rig, { number, key })])
  })
}
