import { type ConsumeSpec, invalidOption } from '@evt/core'
import { type RedisClient, runScript } from '@evt/redis'
import type { Scripts } from './scripts.ts'
import type { KnownTopic } from './topics.ts'

/** Where a group begins in one stream: behind an id, and how many entries lie before that, for an exact lag. */
export interface Start {
  readonly behind: string
  readonly before: number
}

const position = /^(\d{1,15}-\d{1,20})(\/\d{1,6})?$/
// The greatest sequence there is: behind it begins the next millisecond.
const lastSequence = '18446744073709551615'

export async function startsOf(
  client: RedisClient,
  scripts: Scripts,
  { streams }: KnownTopic,
  from: ConsumeSpec['from'],
): Promise<readonly Start[]> {
  // The script that creates the group counts what lies before these.
  if (from === 'earliest') return streams.map(() => ({ behind: '0', before: 0 }))
  if (from === 'latest') return streams.map(() => ({ behind: '$', before: 0 }))
  const behind = from instanceof Date ? behindTime(from.getTime()) : position.exec(from.position)?.[1]
  if (behind === undefined) throw invalidOption('startAt', 'expected the position of a message of this topic')
  return Promise.all(streams.map((stream) => startBehind(client, scripts, stream, behind)))
}

export async function startBehind(
  client: RedisClient,
  scripts: Scripts,
  stream: string,
  behind: string,
): Promise<Start> {
  return { behind, before: await entriesBefore(client, scripts, stream, behind) }
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
