import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { until } from '../until.ts'
import type { Operator } from './operator.ts'

/** On a server of the run's own: some of this strikes all of it. */
export async function redisOperator(url: string, topic: string, group: string): Promise<Operator> {
  const client = new Redis(url)
  client.on('error', () => undefined)
  const key = (name: string) => `evt:{${topic}}:${name}`
  const stream = key('stream')
  const kept = () => client.xlen(stream)
  return {
    losses: [
      { what: 'everything is flushed', takesMessages: true, strike: async () => void (await client.flushall()) },
      {
        what: 'the group is destroyed',
        takesMessages: false,
        strike: async () => void (await client.xgroup('DESTROY', stream, group)),
      },
      { what: 'the stream is deleted', takesMessages: true, strike: async () => void (await client.del(stream)) },
      {
        what: "the group's retry stream is deleted",
        takesMessages: true,
        strike: async () => void (await client.del(key(`group:${group}:retry`))),
      },
    ],
    refusals: [
      {
        what: 'maxmemory is reached (OOM)',
        begin: async () => void (await client.config('SET', 'maxmemory', '1')),
        end: async () => void (await client.config('SET', 'maxmemory', '0')),
      },
      {
        what: 'a snapshot failed (MISCONF)',
        begin: () => failSnapshot(client),
        async end() {
          await client.config('SET', 'rdb-key-save-delay', '0')
          await client.bgsave()
          await until(async () => (await statusOfSnapshot(client)) === 'ok', 10_000)
          await client.config('SET', 'save', '')
        },
      },
      {
        what: 'too few replicas (NOREPLICAS)',
        begin: async () => void (await client.config('SET', 'min-replicas-to-write', '1')),
        end: async () => void (await client.config('SET', 'min-replicas-to-write', '0')),
      },
    ],
    tellsTheAbsent: true,
    kept,
    async cut() {
      const before = await kept()
      return client.xtrim(stream, 'MAXLEN', Math.ceil(before / 2))
    },
    async close() {
      client.disconnect()
    },
  }
}

async function statusOfSnapshot(client: Redis): Promise<string | undefined> {
  return /rdb_last_bgsave_status:(\w+)/.exec(await client.info('persistence'))?.[1]
}

/** Kills the child that writes a snapshot: the server then takes its disk for broken and refuses writes. */
async function failSnapshot(client: Redis): Promise<void> {
  await client.set('faults:slow', '1')
  await client.config('SET', 'save', '3600 1')
  await client.config('SET', 'rdb-key-save-delay', '10000000')
  await client.bgsave()
  const server = Number(/process_id:(\d+)/.exec(await client.info('server'))![1])
  await until(async () => childOf(server) !== undefined, 5_000)
  process.kill(childOf(server)!, 'SIGKILL')
  await until(async () => (await statusOfSnapshot(client)) === 'err', 5_000)
  await delay(0)
}

function childOf(parent: number): number | undefined {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      try {
        return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[1] === String(parent)
      } catch {
        return false
      }
    })
}
