import type { Headers, Outbox, Outgoing, Transport } from '@evt/core'
import type { PgTransaction } from '@evt/pg'
import { wrapTransport } from '@evt/testing'
import { wrapped } from '../bugs/wrapped.ts'

/** Whose envelopes a publisher writes: those of a release before or after this one. */
export type Release = 'older' | 'newer'

type Written = Pick<Outgoing, 'headers' | 'payload'>

/** What the publisher's own metadata is called here; readers must find it and nothing else. */
export const ownMetadata = 'note'
const notYet = ['ce-dataschema', 'ce-specversion', 'ce-subject', 'ce-correlationid']

export function transportOf(release: Release | undefined, right: Transport): Transport {
  if (release === undefined) return right
  return wrapTransport(right, { publish: (batch) => right.publish(batch.map((each) => rewritten(release, each))) })
}
export function outboxOf(release: Release | undefined, right: Outbox<PgTransaction>): Outbox<PgTransaction> {
  if (release === undefined) return right
  return wrapped(right, {
    append: (transaction, messages) =>
      right.append(
        transaction,
        messages.map((each) => rewritten(release, each)),
      ),
  })
}

function rewritten<Message extends Written>(release: Release, message: Message): Message {
  const { headers, payload } = message
  if (release === 'older') return { ...message, headers: without(headers, notYet) }
  return {
    ...message,
    headers: {
      ...headers,
      'ce-specversion': '1.1',
      'ce-sequencetype': 'Integer',
      'evt-priority': '9',
      // Of a version to come: longer than what this one knows.
      traceparent: '01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later',
      [ownMetadata]: 'kept',
    },
    payload: Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(payload).toString()), later: [1, { two: 3 }] })),
  }
}

function without(headers: Headers, names: readonly string[]): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))
}
