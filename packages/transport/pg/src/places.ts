import {
  type ConsumerState,
  type DeadLetterPage,
  invalidOption,
  readErrorHistory,
  type TransportDeadLetter,
  type TrimReport,
} from '@evt/core'
import { decodeText } from '@evt/pg'
import type { Ask } from './database.ts'
import { parseHeaders } from './deliveries.ts'
import type { Names } from './names.ts'
import type { KnownTopic } from './topics.ts'

interface StateRow {
  readonly name: string
  readonly lag: number
  readonly running: number
  readonly delayed: number
  readonly dead: number
  readonly oldest_ms: number | null
}
interface LetterRow {
  readonly id: string
  readonly consumer: string
  readonly position: string
  readonly key: string | null
  readonly headers: string
  readonly payload: Uint8Array
  readonly reason: string
  readonly history: string
}

const trimBatch = 5_000
const trimBatches = 200

/** What every group of a topic has still to do. */
export async function inspect(ask: Ask, { quoted }: Names, topic: KnownTopic): Promise<readonly ConsumerState[]> {
  const rows = await ask<StateRow>(
    'Inspecting a topic',
    `select receiver.name, load.lag::double precision, load.running::double precision, load.delayed::double precision,
       (select count(*) from ${quoted.dead_letter} as letter
        where letter.topic_id = receiver.topic_id and letter.consumer = receiver.name)::double precision as dead,
       (select extract(epoch from statement_timestamp() - message.published_at)::double precision * 1000
        from ${quoted.message} as message
        where message.topic_id = receiver.topic_id and message.id = load.oldest) as oldest_ms
     from ${quoted.group} as receiver cross join lateral (
       select coalesce(sum(cardinality(ids)) filter (where owner is null and due_at <= statement_timestamp()), 0) as lag,
         coalesce(sum(cardinality(ids)) filter (where owner is not null), 0) as running,
         coalesce(sum(cardinality(ids)) filter (where owner is null and due_at > statement_timestamp()), 0) as delayed,
         min(ids[1]) as oldest
       from ${quoted.parcel} as parcel where parcel.group_id = receiver.id
     ) as load where receiver.topic_id = $1 order by receiver.id`,
    [topic.id],
  )
  return rows.map(({ name, lag, running, delayed, dead, oldest_ms }) => ({
    consumer: decodeText(name),
    lag,
    running,
    delayed,
    deadLettered: dead,
    oldestMs: oldest_ms === null ? null : Math.max(0, oldest_ms),
  }))
}

/** Removes what every group has acknowledged, in bounded steps. */
export async function trim(
  ask: Ask,
  { quoted }: Names,
  topic: KnownTopic,
  { retainMs, reapAfterMs }: { readonly retainMs: number; readonly reapAfterMs: number },
): Promise<TrimReport> {
  let removed = 0
  let heldBackBy: string | null = null
  for (let batch = 0; batch < trimBatches; batch += 1) {
    const sql = `select removed, held_back_by from ${quoted.trim}($1, $2, $3, $4)`
    const values = [topic.id, retainMs, reapAfterMs, trimBatch]
    const [row] = await ask<{ removed: number; held_back_by: string | null }>('Trimming a topic', sql, values)
    removed += row!.removed
    heldBackBy = row!.held_back_by === null ? null : decodeText(row!.held_back_by)
    if (row!.removed < trimBatch) break
  }
  return { removed, heldBackBy }
}

export async function readDeadLetters(
  ask: Ask,
  { quoted }: Names,
  topic: KnownTopic,
  { after, limit }: DeadLetterPage,
): Promise<readonly TransportDeadLetter[]> {
  if (after !== undefined && !isId(after)) throw invalidOption('after', 'expected the id of a dead letter')
  const rows = await ask<LetterRow>(
    'Reading dead letters',
    `select id::text, consumer, position::text, key, headers, payload, reason, history from ${quoted.dead_letter} as letter
     where topic_id = $1 and id > $2 order by letter.id limit $3`,
    [topic.id, after ?? '0', limit],
  )
  return rows.map(({ id, consumer, position, key, headers, payload, reason, history }) => ({
    id,
    consumer: decodeText(consumer),
    position,
    headers: parseHeaders(headers),
    payload,
    key: key === null ? undefined : decodeText(key),
    reason: decodeText(reason),
    history: readErrorHistory(history),
  }))
}

export async function removeDeadLetters(
  ask: Ask,
  { quoted }: Names,
  topic: KnownTopic,
  ids: readonly string[],
): Promise<void> {
  const sql = `delete from ${quoted.dead_letter} where topic_id = $1 and id = any ($2::bigint[])`
  await ask('Removing dead letters', sql, [topic.id, `{${ids.filter(isId).join(',')}}`])
}

function isId(text: string): boolean {
  return /^\d{1,18}$/.test(text)
}
