import { encodeTopic, type StoredMessage, writeHeaders } from '@evt/core'
import { Keyed, messageId, type Payload, Plain } from './programs/messages.ts'
import type { Rig } from './rig.ts'

/** A row of the outbox as the bus would write it, to be written by the harness itself, whole or spoilt. */
export function storedMessage(
  rig: Pick<Rig, 'namespace' | 'stage'>,
  message: { readonly number: number; readonly key: string; readonly padding?: string },
  changes: Partial<StoredMessage> = {},
): StoredMessage {
  const { number, key, padding = '' } = message
  const event = key === '' ? Plain : Keyed
  const payload: Payload = { number, key, failures: 0, padding }
  const envelope = {
    id: messageId(number),
    type: event.name,
    source: '/faults',
    time: new Date().toISOString(),
    contentType: 'application/json',
    version: 1,
    key: key === '' ? undefined : key,
    subject: undefined,
    correlationId: undefined,
    causationId: undefined,
  }
  return {
    transport: rig.stage.transportName,
    id: messageId(number),
    topic: encodeTopic(rig.namespace, event.name),
    key: key === '' ? undefined : key,
    headers: writeHeaders(envelope, undefined, undefined),
    payload: Buffer.from(JSON.stringify(payload)),
    ...changes,
  }
}

/** Commits so many messages without key, a thousand at a time, for the relay to publish. */
export async function storeOrders(
  rig: Rig,
  { first, count, paddingBytes }: { readonly first: number; readonly count: number; readonly paddingBytes: number },
): Promise<void> {
  const padding = 'x'.repeat(paddingBytes)
  for (let from = first; from < first + count; from += 1_000) {
    const size = Math.min(1_000, first + count - from)
    const numbers = Array.from({ length: size }, (_none, index) => from + index)
    const sql =
      "insert into fault_orders (message, key, number) select 'm' || number, '', number from unnest($1::bigint[]) as number"
    await rig.database.pool.query(sql, [numbers])
    await rig.database.outbox.store(numbers.map((number) => storedMessage(rig, { number, key: '', padding })))
  }
}
