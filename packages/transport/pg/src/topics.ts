import { crashPoint, evtError, type Topic } from '@evt/core'
import { decodeText, encodeText } from '@evt/pg'
import type { Ask } from './database.ts'
import type { Names } from './names.ts'

export interface KnownTopic {
  readonly id: number
  readonly name: string
  /** Undefined: a plain topic. */
  readonly partitions: number | undefined
}
export interface Topics {
  /** Creates or verifies a topic. */
  declare(topic: Topic): Promise<KnownTopic>
  /** Topics by name, made where they are missing. What a transaction made is remembered only once it is committed. */
  resolve(ask: Ask, names: Iterable<string>): Promise<ReadonlyMap<string, KnownTopic>>
  /** Asks again at the next use: somebody may have emptied the tables. */
  forget(names: Iterable<string>): void
  /** A topic that exists, or undefined. */
  find(name: string): Promise<KnownTopic | undefined>
}

interface Row {
  readonly id: number
  readonly name: string
  readonly partitions: number | null
}

/** Topics never change once they exist, so each is asked for once. */
export function createTopics(pool: Ask, names: Names): Topics {
  const known = new Map<string, KnownTopic>()
  const table = names.quoted.topic
  const select = async (ask: Ask, name: string) => {
    const sql = `select id, name, partitions from ${table} where name = $1`
    return (await ask<Row>('Looking for a topic', sql, [encodeText(name)]))[0]
  }
  const create = async (ask: Ask, name: string, partitions: number | undefined) => {
    const sql = `insert into ${table} (name, partitions) values ($1, ($2::text)::integer) on conflict (name) do nothing
      returning id, name, partitions`
    const values = [encodeText(name), partitions === undefined ? null : String(partitions)]
    const [made] = await ask<Row>('Creating a topic', sql, values)
    crashPoint('transport.declared')
    // Whoever was faster has committed by now: the insert waited for it.
    return made ?? (await select(ask, name))!
  }
  const remember = (row: Row) => {
    const topic = toTopic(row)
    known.set(topic.name, topic)
    return topic
  }
  return {
    async declare({ name, partitions }) {
      const topic = known.get(name) ?? remember((await select(pool, name)) ?? (await create(pool, name, partitions)))
      if (partitions !== undefined && partitions !== topic.partitions) {
        const text = `"${name}" has ${topic.partitions ?? 'no'} partitions, not ${partitions}: whoever declared it first fixed that`
        throw evtError('EVT_TRANSPORT_PARTITIONS', text, { topic: name, wanted: partitions, actual: topic.partitions })
      }
      return topic
    },
    async resolve(ask, wanted) {
      const found = new Map<string, KnownTopic>()
      // Sorted, so that two transactions that make the same topics do not wait for each other.
      for (const name of [...new Set(wanted)].sort()) {
        const cached = known.get(name)
        if (cached !== undefined) {
          found.set(name, cached)
          continue
        }
        const row = await select(ask, name)
        if (row !== undefined) found.set(name, ask === pool ? remember(row) : toTopic(row))
        else found.set(name, toTopic(await create(ask, name, undefined)))
      }
      return found
    },
    forget(given) {
      for (const name of given) known.delete(name)
    },
    async find(name) {
      const cached = known.get(name)
      if (cached !== undefined) return cached
      const row = await select(pool, name)
      return row === undefined ? undefined : remember(row)
    },
  }
}

function toTopic({ id, name, partitions }: Row): KnownTopic {
  return { id, name: decodeText(name), partitions: partitions ?? undefined }
}
