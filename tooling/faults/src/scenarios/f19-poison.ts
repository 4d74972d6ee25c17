import { randomBytes } from 'node:crypto'
import type { StoredMessage } from '@evt/core'
import { finish } from '../finish.ts'
import { storedMessage } from '../harness-messages.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Rig } from '../rig.ts'
import type { Scenario } from '../scenario.ts'

const firstSpoilt = 1_000_000

export const poison: Scenario = {
  id: 'F19',
  title: 'messages that always fail, cannot be decoded or are of another type, with kills',
  limitSeconds: { quick: 180, long: 600 },
  quick: { messages: 1_000, spoilt: 20, kills: 4 },
  long: { messages: 6_000, spoilt: 100, kills: 10 },
  crashPoints: ['deadLetter.appended'],
  async run(rig, { messages = 0, spoilt = 0, kills = 0 }) {
    let started = 0
    const crew = startCrew(rig, 1, () => {
      started += 1
      // Between letter and acknowledgement, and right after that: by then the letter must be there for good.
      const point = { points: ['deadLetter.appended'], nth: rig.between(2, 4) }
      const gone = rig.stage.apart ? 'delivery.settled' : 'outbox.deleted'
      const settled = { points: [gone], after: 'deadLetter.appended', nth: 2 }
      const crashes = started <= kills ? [started % 2 === 0 ? point : settled] : []
      // Delays of the transport's own, so that its count of attempts is what decides.
      return rig.worker({ keyed: false, attempts: 3, backoffMs: 30, holdMs: 0, leaseMs: 1_000, crashes })
    })
    await crew.ready
    const bad = Array.from({ length: spoilt }, (_none, index) => spoil(rig, firstSpoilt + index))
    await rig.database.outbox.store(bad)
    await publishAll(rig, { count: messages, keys: 0, poisonShare: 0.01 })
    await finish(rig, crew, { extra: spoilt })
    const { rows } = await rig.database.pool.query<{ message_id: string; payload: Buffer }>(
      'select message_id, payload from evt_dlq',
    )
    const letters = new Map(rows.map((row) => [row.message_id, row.payload]))
    const missing = bad.filter((message) => !letters.get(message.id)?.equals(message.payload))
    const ids = missing.map((message) => message.id)
    rig.expect('a spoilt message is not among the dead letters as it was', ids.length === 0, ...ids.slice(0, 3))
    rig.set('dead letters', letters.size)
  },
}

function spoil(rig: Rig, number: number): StoredMessage {
  const right = storedMessage(rig, { number, key: '' })
  const headers = (changes: Readonly<Record<string, string>>) => ({ headers: { ...right.headers, ...changes } })
  const kinds: readonly (() => Partial<StoredMessage>)[] = [
    () => ({ payload: randomBytes(64) }),
    () => headers({ 'content-type': 'application/x-unheard-of' }),
    () => headers({ 'ce-source': '' }),
    () => headers({ 'ce-type': 'fault.other' }),
  ]
  return { ...right, ...kinds[number % kinds.length]!() }
}
