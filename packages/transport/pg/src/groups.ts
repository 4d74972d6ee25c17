import { type ConsumeSpec, crashPoint, invalidOption, type StartAt } from '@evt/core'
import { encodeText } from '@evt/pg'
import type { Ask } from './database.ts'
import type { Names } from './names.ts'
import type { KnownTopic } from './topics.ts'

export interface Group {
  readonly id: number
  /** Messages whose publishers did not see the group may still commit. */
  readonly pending: boolean
}
export interface Groups {
  /** Finds or creates the group of a consumer; it has every message it should have that is committed. */
  join(topic: KnownTopic, spec: ConsumeSpec): Promise<Group>
  /** Adds what has committed since; tells whether more may come. */
  backfill(group: number): Promise<boolean>
  leave(group: number): Promise<void>
}

export function createGroups(ask: Ask, names: Names): Groups {
  const backfill = async (group: number) => {
    const sql = `select ${names.quoted.backfill}($1) as pending`
    const rows = await ask<{ pending: boolean }>('Adding earlier messages to a group', sql, [group])
    return rows[0]!.pending
  }
  return {
    backfill,
    async join(topic, spec) {
      const { after, since } = startOf(spec.from)
      const ephemeral = 'reader' in spec.as && spec.as.reader === 'ephemeral'
      const sql = `select id, pending from ${names.quoted.join}($1, $2, $3, $4, $5, $6)`
      const values = [topic.id, encodeText(spec.consumer), ephemeral, after, since, spec.from !== 'latest']
      const [group] = await ask<Group>('Creating a group', sql, values)
      crashPoint('transport.groupCreated')
      let pending = group!.pending
      // The second call finds those who were publishing during the first to have ended, as a rule.
      for (let call = 0; pending && call < 2; call += 1) pending = await backfill(group!.id)
      return { id: group!.id, pending }
    },
    async leave(group) {
      await ask('Removing a group', `select ${names.quoted.leave}($1)`, [group])
    },
  }
}

function startOf(from: StartAt): { readonly after: string; readonly since: string } {
  if (from instanceof Date) return { after: '0', since: from.toISOString() }
  if (from === 'earliest' || from === 'latest') return { after: '0', since: '-infinity' }
  if (!/^\d{1,18}$/.test(from.position))
    throw invalidOption('startAt', 'expected the position of a message of this topic')
  return { after: from.position, since: '-infinity' }
}
