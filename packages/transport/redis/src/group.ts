import { randomUUID } from 'node:crypto'
import { type ConsumeSpec, crashPoint } from '@evt/core'
import { type RedisClient, runScript, type ScriptCall } from '@evt/redis'
import type { Receipt } from './deliveries.ts'
import type { GroupKeys } from './names.ts'
import type { Scripts } from './scripts.ts'
import type { Start } from './starts.ts'
import type { KnownTopic } from './topics.ts'

/** One consumer's calls on its group. A session is the lease of everything that one reader holds. */
export interface Group {
  readonly keys: GroupKeys
  readonly ephemeral: boolean
  /** Begins a session and ends the former ('' for none); where starts are given, one per stream, what is missing of the group is created. */
  join(former: string, starts: readonly Start[]): Promise<Joined>
  read(session: string, request: ReadRequest): ScriptCall
  settle(session: string, label: number, args: ScriptCall['args']): ScriptCall
  leave(session: string): Promise<void>
}
export interface Joined {
  readonly session: string
  /** Per stream the id behind which the group goes on; none where nothing was to be created. */
  readonly positions: readonly string[]
}
export interface ReadRequest {
  readonly room: number
  readonly sweep: boolean
  readonly firstPartition: number
  /** What is held, where it is in doubt whether an answer got lost. */
  readonly held: readonly Receipt[] | undefined
}

export function createGroup(client: RedisClient, scripts: Scripts, topic: KnownTopic, spec: ConsumeSpec): Group {
  const { consumer: name, leaseMs } = spec
  const keys = topic.keys.group(name)
  const { ephemerals, cuts, letters, letterCounts } = topic.keys
  const ephemeral = 'reader' in spec.as && spec.as.reader === 'ephemeral'
  const flag = (value: boolean) => (value ? 1 : 0)
  return {
    keys,
    ephemeral,
    async join(former, starts) {
      const session = randomUUID()
      const positions = await runScript(client, {
        script: scripts.join,
        keys: [keys.sessions, ephemerals, keys.retry, ...topic.streams],
        args: [
          session,
          leaseMs,
          name,
          flag(ephemeral),
          former,
          ...starts.flatMap(({ behind, before }) => [behind, before]),
        ],
      })
      crashPoint('transport.joined')
      return { session, positions: (positions as readonly Buffer[]).map(String) }
    },
    read(session, { room, sweep, firstPartition, held }) {
      const partitioned = flag(topic.partitions !== undefined)
      const doubt = held === undefined ? [-1] : [held.length, ...held.map(({ label, id }) => `${label}/${id}`)]
      return {
        script: scripts.read,
        keys: [
          keys.sessions,
          keys.attempts,
          keys.due,
          ephemerals,
          cuts,
          keys.retry,
          letters,
          letterCounts,
          ...topic.streams,
        ],
        args: [session, leaseMs, name, room, flag(ephemeral), flag(sweep), partitioned, firstPartition, ...doubt],
      }
    },
    settle(session, label, args) {
      const stream = label === 0 ? keys.retry : topic.streams[label - 1]!
      return {
        script: scripts.settle,
        keys: [keys.sessions, keys.attempts, keys.due, letters, letterCounts, stream],
        args: [session, leaseMs, name, label, ...args],
      }
    },
    async leave(session) {
      if (ephemeral) {
        const all = [ephemerals, keys.sessions, keys.attempts, keys.due, keys.retry, ...topic.streams]
        await runScript(client, { script: scripts['remove-group'], keys: all, args: [name, 0] })
      } else {
        const all = [keys.sessions, keys.retry, ...topic.streams]
        await runScript(client, { script: scripts.leave, keys: all, args: [session, name] })
      }
      crashPoint('transport.left')
    },
  }
}
