import { encodeTopic } from '@evt/core'
import { Keyed } from '../programs/messages.ts'
import type { Rig } from '../rig.ts'
import type { Operator } from './operator.ts'

type Open = (url: string, topic: string, group: string) => Promise<Operator>

/** Each with its client, loaded when it is needed. */
const operators: Readonly<Record<string, () => Promise<Open>>> = {
  pg: async () => (await import('./postgres-operator.ts')).postgresOperator,
  redis: async () => (await import('./redis-operator.ts')).redisOperator,
  jetstream: async () => (await import('./jetstream-operator.ts')).jetstreamOperator,
  kafka: async () => (await import('./kafka-operator.ts')).kafkaOperator,
}

/** The console of the stage's broker, for the topic and the group that the programs use. */
export async function openOperator(rig: Rig): Promise<Operator> {
  const load = operators[rig.stageName]
  if (load === undefined || rig.broker === undefined) throw new Error(`nobody operates ${rig.stageName}`)
  const open = await load()
  return open(rig.broker.url, encodeTopic(rig.namespace, Keyed.name), 'faults/work')
}
