import { encodeTopic } from '@evt/core'
import { Keyed } from '../programs/messages.ts'
import type { Rig } from '../rig.ts'
import type { Operator } from './operator.ts'
import { postgresOperator } from './postgres-operator.ts'
import { redisOperator } from './redis-operator.ts'

type Open = (url: string, topic: string, group: string) => Promise<Operator>

const operators: Readonly<Record<string, Open>> = { pg: postgresOperator, redis: redisOperator }

/** The console of the stage's broker, for the topic and the group that the programs use. */
export function openOperator(rig: Rig): Promise<Operator> {
  const open = operators[rig.stageName]
  if (open === undefined || rig.broker === undefined) throw new Error(`nobody operates ${rig.stageName}`)
  return open(rig.broker.url, encodeTopic(rig.namespace, Keyed.name), 'faults/work')
}
