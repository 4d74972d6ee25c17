import { sentOutOfOrder } from './checker.ts'
import type { Rig } from './rig.ts'

/** Holds what relays sent against what was committed: nothing lost, nothing made up, keys in order. */
export async function expectSent(rig: Rig): Promise<void> {
  const { committed, parked } = await rig.database.facts()
  const { rows } = await rig.database.pool.query('select message_id from evt_outbox where refused is not null')
  const aside = new Set((rows as { message_id: string }[]).map((row) => row.message_id))
  const sent = rig.ledger.of('sent')
  const messages = new Set(sent.map((entry) => entry.message))
  const lost = [...committed.keys()].filter((message) => !messages.has(message) && !aside.has(message))
  const ghosts = [...messages].filter((message) => !committed.has(message))
  const late = sentOutOfOrder(rig.ledger, (message) => committed.get(message)?.number ?? Number.POSITIVE_INFINITY)
  rig.expect('lost', lost.length === 0, `${lost.length}`, ...lost.slice(0, 5))
  rig.expect('ghost', ghosts.length === 0, `${ghosts.length}`, ...ghosts.slice(0, 5))
  rig.expect('sent out of order', late.length === 0, `${late.length}`, ...late.slice(0, 5))
  rig.set('messages', messages.size)
  rig.set('duplicates', sent.length - messages.size)
  if (parked > 0) rig.set('put aside', parked)
}
