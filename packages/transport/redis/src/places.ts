import {
  type ConsumerState,
  type DeadLetterPage,
  readErrorHistory,
  type TransportDeadLetter,
  type TrimReport,
} from '@evt/core'
import { redisFailure, runScript, runScripts } from '@evt/redis'
import { readEntry } from './entries.ts'
import type { CheckedOptions } from './options.ts'
import type { Scripts } from './scripts.ts'
import { countBehind } from './starts.ts'
import type { KnownTopic } from './topics.ts'

/** What can be seen and done in a topic's own places, beside reading. */
export interface Places {
  inspect(topic: KnownTopic): Promise<readonly ConsumerState[]>
  trim(topic: KnownTopic): Promise<TrimReport>
  readDeadLetters(topic: KnownTopic, page: DeadLetterPage): Promise<readonly TransportDeadLetter[]>
  removeDeadLetters(topic: KnownTopic, ids: readonly string[]): Promise<void>
}

const entryId = /^\d{1,15}-\d{1,20}$/

export function createPlaces(options: CheckedOptions, scripts: Scripts): Places {
  const { client, maxLength, maxAgeMs, reapAfterMs } = options
  const asking = async <Answer>(operation: string, work: () => Promise<Answer>) => {
    try {
      return await work()
    } catch (error) {
      throw redisFailure(error, operation)
    }
  }
  const groupNames = async ({ streams }: KnownTopic) => {
    if (Number(await client.call('EXISTS', [streams[0]!])) === 0) return []
    const groups = (await client.call('XINFO', ['GROUPS', streams[0]!])) as unknown[][]
    return groups.map((group) => String(group[group.indexOf('name') + 1]))
  }
  const stateOf = async (topic: KnownTopic, consumer: string): Promise<ConsumerState> => {
    const { sessions, due, retry } = topic.keys.group(consumer)
    const reply = await runScript(client, {
      script: scripts.inspect,
      keys: [sessions, due, topic.keys.letterCounts, retry, ...topic.streams],
      args: [consumer],
    })
    const [running, free, delayed, deadLettered, oldestMs, ...streams] = reply as [
      number,
      number,
      number,
      number,
      number,
    ]
    let lag = free
    const rest = streams as unknown as (number | Buffer)[]
    for (let index = 0; index < topic.streams.length; index += 1) {
      const known = Number(rest[index * 2] ?? 0)
      const last = String(rest[index * 2 + 1] ?? '')
      // After a group was moved or entries were deleted the server no longer knows.
      lag += known >= 0 ? known : await countBehind(client, scripts, topic.streams[index]!, last, '+')
    }
    return { consumer, lag, running, delayed, deadLettered, oldestMs: oldestMs < 0 ? null : oldestMs }
  }
  return {
    inspect: (topic) =>
      asking(`Inspecting "${topic.name}"`, async () =>
        Promise.all((await groupNames(topic)).map((group) => stateOf(topic, group))),
      ),
    trim: (topic) =>
      asking(`Trimming "${topic.name}"`, async () => {
        const { keys, streams } = topic
        const idle = (await client.call('ZRANGE', [keys.ephemerals, 0, -1])) as string[]
        for (const group of idle) {
          const { sessions, attempts, due, retry } = keys.group(group)
          const all = [keys.ephemerals, sessions, attempts, due, retry, ...streams]
          await runScript(client, { script: scripts['remove-group'], keys: all, args: [group, reapAfterMs] })
        }
        if (maxLength > 0 || maxAgeMs > 0) {
          const limits = streams.map((stream) => ({
            script: scripts.limit,
            keys: [keys.cuts, stream],
            args: [maxLength, maxAgeMs],
          }))
          await runScripts(client, limits)
        }
        const calls = streams.map((stream) => ({ script: scripts.trim, keys: [stream], args: [] }))
        let removed = 0
        let heldBackBy: string | null = null
        for (const result of await runScripts(client, calls)) {
          if (result instanceof Error) throw result
          const [count, holder] = result as [number, Buffer]
          removed += count
          if (holder.length > 0) heldBackBy = holder.toString()
        }
        return { removed, heldBackBy }
      }),
    readDeadLetters: ({ name, keys }, { after, limit }) =>
      asking(`Reading the dead letters of "${name}"`, async () => {
        const from = after !== undefined && entryId.test(after) ? `(${after}` : '-'
        const entries = await client.callBuffer('XRANGE', [keys.letters, from, '+', 'COUNT', limit])
        return (entries as [Buffer, Buffer[]][]).map(([id, fields]) => toDeadLetter(id.toString(), fields))
      }),
    removeDeadLetters: ({ name, keys }, ids) =>
      asking(`Removing dead letters of "${name}"`, async () => {
        const known = ids.filter((id) => entryId.test(id))
        if (known.length === 0) return
        const all = [keys.letters, keys.letterCounts]
        await runScript(client, { script: scripts['remove-letters'], keys: all, args: known })
      }),
  }
}

function toDeadLetter(id: string, fields: readonly Buffer[]): TransportDeadLetter {
  const { headers, payload, key, rest } = readEntry(fields)
  const text = (name: string) => rest?.get(name) ?? ''
  const consumer = text('consumer')
  const position = text('position')
  return {
    id,
    consumer,
    position,
    headers,
    payload,
    key,
    reason: text('reason'),
    history: readErrorHistory(text('history')),
  }
}
