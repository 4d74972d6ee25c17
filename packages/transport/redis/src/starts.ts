import { type ConsumeSpec, invalidOption } from '@evt/core'
import { type RedisClient, runScript } from '@evt/redis'
import type { Scripts } from './scripts.ts'
import type { KnownTopic } from './topics.ts'

/** Where a group begins: behind an id, and how many entries of each stream lie before that, for an exact lag. */
export interface Start {
  readonly behind: string
  readonly before: readonly number[]
}

const position = /^(\d{1,15}-\d{1,20})(\/\d{1,6})?$/
// The greatest sequence there is: behind it begins the next millisecond.
const lastSequence = '18446744073709551615'

export async function startOf(
  client: RedisClient,
  scripts: Scripts,
  topic: KnownTopic,
  from: ConsumeSpec['from'],
): Promise<Start> {
  const unknown = topic.streams.map(() => -1)
  if (from === 'earliest') return { behind: '0', before: unknown.fill(0) }
  if (from === 'latest') return { behind: '$', before: unknown.fill(0) }
  const behind = from instanceof Date ? behindTime(from.getTime()) : position.exec(from.position)?.[1]
  if (behind === undefined) throw invalidOption('startAt', 'expected the position of a message of this topic')
  return {
    behind,
    before: await Promise.all(topic.streams.map((stream) => entriesBefore(client, scripts, stream, behind))),
  }
}

function behindTime(ms: number): string {
  return ms <= 0 ? '0-0' : `${Math.ceil(ms) - 1}-${lastSequence}`
}

async function entriesBefore(client: RedisClient, scripts: Scripts, stream: string, id: string): Promise<number> {
  if (Number(await client.call('EXISTS', [stream])) === 0) return 0
  const state = (await client.call('XINFO', ['STREAM', stream])) as unknown[]
  const field = (name: string) => state[state.indexOf(name) + 1]
  const last = String(field('last-generated-id'))
  return Number(field('entries-added')) - (await countBehind(client, scripts, stream, id, last))
}

/** Entries behind an id up to another, counted in steps that hold nobody up. */
export async function countBehind(
  client: RedisClient,
  scripts: Scripts,
  stream: string,
  behind: string,
  to: string,
): Promise<number> {
  let count = 0
  for (let from = behind; ; ) {
    const reply = await runScript(client, { script: scripts.count, keys: [stream], args: [from, to] })
    const [found, last] = reply as [number, Buffer]
    count += found
    from = last.toString()
    if (from === '') return count
  }
}
