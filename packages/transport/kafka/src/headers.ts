import type { Headers } from '@evt/core'
import type { KafkaHeaders } from './client.ts'

/**
 * The CloudEvents binding writes attributes as `ce_…` on Kafka, core as `ce-…`; other names are the same on both.
 * Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2.3.
 */
export function writeKafkaHeaders(headers: Headers): Record<string, string> {
  const written: Record<string, string> = {}
  for (const name in headers) written[name.startsWith('ce-') ? `ce_${name.slice(3)}` : name] = headers[name]!
  return written
}

/** What arrived, without the transport's own: those mean something on its own topics only. */
export function readKafkaHeaders(headers: KafkaHeaders): Headers {
  const read: Record<string, string> = Object.create(null)
  for (const name in headers) {
    if (name.startsWith(ownPrefix)) continue
    read[name.startsWith('ce_') ? `ce-${name.slice(3)}` : name] = headers[name]!
  }
  return read
}

/** No publisher can set a header that begins like this: core refuses the name. */
const ownPrefix = 'evt-'
export const own = {
  attempt: 'evt-attempt',
  due: 'evt-due',
  position: 'evt-position',
  consumer: 'evt-consumer',
  reason: 'evt-reason',
  history: 'evt-history',
  key: 'evt-key',
} as const
