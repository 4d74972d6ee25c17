import { type Headers, headerTable } from '@evt/core'
import type { KafkaHeaders } from './client.ts'

/** No publisher can set a header that begins like this: core refuses the name. */
const ownPrefix = 'evt-'
export const own = {
  attempt: 'evt-attempt',
  after: 'evt-after',
  position: 'evt-position',
  consumer: 'evt-consumer',
  reason: 'evt-reason',
  history: 'evt-history',
  key: 'evt-key',
} as const

/** The same few names with every message: making them anew is most of the cost. Names from the wire may be any number. */
const maxKnownNames = 1_000
const written = new Map<string, string>()
const read = new Map<string, string>()

/**
 * The CloudEvents binding writes attributes as `ce_…` on Kafka, core as `ce-…`; other names are the same on both.
 * Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2.3.
 */
export function writeKafkaHeaders(headers: Headers): string[] {
  const result: string[] = []
  for (const name in headers) result.push(written.get(name) ?? rename(written, name, 'ce-', 'ce_'), headers[name]!)
  return result
}

/** What arrived, without the transport's own: those mean something on its own topics only. */
export function readKafkaHeaders(headers: KafkaHeaders): Headers {
  const result = headerTable()
  // Backwards: of a repeated one the first counts.
  for (let index = headers.length - 2; index >= 0; index -= 2) {
    const name = headers[index]!
    const renamed = read.get(name) ?? rename(read, name, 'ce_', 'ce-')
    if (!renamed.startsWith(ownPrefix)) result[renamed] = headers[index + 1]!
  }
  return result
}

/** The value of one of the transport's own. */
export function ownHeader(headers: KafkaHeaders, name: (typeof own)[keyof typeof own]): string | undefined {
  for (let index = 0; index < headers.length; index += 2) if (headers[index] === name) return headers[index + 1]
  return undefined
}

function rename(known: Map<string, string>, name: string, from: string, to: string): string {
  const renamed = name.startsWith(from) ? `${to}${name.slice(from.length)}` : name
  if (known.size < maxKnownNames) known.set(name, renamed)
  return renamed
}
