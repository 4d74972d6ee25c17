import { topicConfig } from './errors.ts'
import type { Settings } from './options.ts'

/** Kafka's limit for a batch, what its headers and its dead letter add included. */
export const batchHeadroomBytes = 40_000

/**
 * Compares an existing topic with what was asked for and answers the bytes that it takes at once. What was asked for and
 * differs is `EVT_KAFKA_CONFIG`; what may remove unread messages without anybody having asked for it is reported.
 */
export function checkTopic(
  topic: string,
  found: ReadonlyMap<string, string>,
  { retentionMs, replicationFactor, maxMessageBytes, logger }: Settings,
): number {
  const differs = (field: string, wanted: number) => {
    const actual = found.get(field)
    if (actual !== undefined && wanted > 0 && actual !== String(wanted)) {
      throw topicConfig({ topic, field, wanted: String(wanted), actual })
    }
  }
  differs('retention.ms', retentionMs ?? 0)
  differs('replication.factor', replicationFactor)
  const harmless = { 'cleanup.policy': 'delete', 'retention.bytes': '-1', 'retention.ms': String(retentionMs ?? -1) }
  for (const [name, value] of Object.entries(harmless)) {
    const actual = found.get(name) ?? value
    if (actual === value) continue
    logger.warn({ topic, [name]: actual }, 'the broker removes messages of this topic, read or not')
  }
  const maxBytes = Number(found.get('max.message.bytes') ?? Number.POSITIVE_INFINITY)
  if (maxBytes < maxMessageBytes) {
    logger.warn({ topic, 'max.message.bytes': maxBytes }, 'the broker refuses messages that this transport would take')
  }
  return maxBytes
}
