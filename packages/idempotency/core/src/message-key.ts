import { createHash } from 'node:crypto'
import type { Delivery } from '@evt/core'

/**
 * What a message is remembered under, per consumer: event and message id. Ids are the publisher's choice, so two events of one
 * consumer may share one.
 */
export type MessageKey = string

/** Longer keys would not fit every store's index. */
const longest = 300

/** The key of a delivery; `own` stands for its message id. */
export function messageKey(delivery: Pick<Delivery, 'type' | 'id'>, own: string = delivery.id): MessageKey {
  // No event name holds a slash.
  if (own.length <= longest) return `${delivery.type}/${own}`
  return `${delivery.type}/sha256/${createHash('sha256').update(Buffer.from(own, 'utf16le')).digest('hex')}`
}
