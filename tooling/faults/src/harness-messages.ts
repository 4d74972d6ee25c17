import { encodeTopic, type StoredMessage, writeHeaders } from '@evt/core'
import { Keyed, messageId, type Payload, Plain } from './programs/messages.ts'
import type { Rig } from './rig.ts'

/** A row of the outbox as the bus would write it, to be written by the harness itself, whole or spoilt. */
export function storedMessage(
  rig: Pick<Rig, 'namespace' | 'stage'>,
  message: { readonly number: number; readonly key: string },
  changes: Partial<StoredMessage> = {},
): StoredMessage {
  const { number, key } = message
  const event = key === '' ? Plain : Keyed
  const payload: Payload = { number, key, failures: 0, padding: '' }
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
