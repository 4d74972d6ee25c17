import { invalidOption, type StartAt } from '@evt/core'
import type { KafkaConnection } from './client.ts'
import { readPosition } from './deliveries.ts'

/** The first offset of each partition for a consumer that begins there. */
export async function startOffsets(
  connection: KafkaConnection,
  serverTopic: string,
  from: StartAt,
): Promise<readonly number[]> {
  if (from === 'earliest' || from === 'latest') return connection.offsets(serverTopic, from)
  if (from instanceof Date) return since(connection, serverTopic, from.getTime())
  const position = readPosition(from.position)
  if (position === undefined) throw invalidOption('startAt', 'expected a position as a delivery has it')
  // In the other partitions there is no "behind": what came at the same millisecond or later may not have been seen.
  const offsets = [...(await since(connection, serverTopic, position.timestampMs))]
  if (position.partition < offsets.length) offsets[position.partition] = position.offset + 1
  return offsets
}

async function since(connection: KafkaConnection, topic: string, timeMs: number): Promise<readonly number[]> {
  const latest = await connection.offsets(topic, 'latest')
  const found = await connection.offsets(topic, Math.max(0, timeMs))
  // Kafka answers -1 where nothing is that young.
  return latest.map((end, partition) => ((found[partition] ?? -1) < 0 ? end : found[partition]!))
}
