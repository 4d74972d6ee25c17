import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { timeOrderedId } from './ideal-id.ts'
import type { Order } from './order.ts'
import { sideBySide } from './side-by-side.ts'

/** What a reader takes at a time: as many as ours prefetches for 100 handlers. */
const readAtOnce = 200
const group = 'bench'
const append = `for at = 1, #ARGV, 2 do redis.call('XADD', KEYS[1], '*', 'headers', ARGV[at], 'payload', ARGV[at + 1]) end`
const appendHash = createHash('sha1').update(append).digest('hex')

/** The envelope that ours writes, made by hand. */
function entryOf(payload: unknown): { readonly id: string; readonly fields: [headers: string, payload: string] } {
  const nowMs = Date.now()
  const id = timeOrderedId(nowMs)
  const headers = JSON.stringify({
    'ce-specversion': '1.0',
    'ce-id': id,
    'ce-source': '/bench',
    'ce-type': 'order.created',
    'ce-time': new Date(nowMs).toISOString(),
    'ce-dataschema': 'urn:evt:order.created:1',
    'content-type': 'application/json',
  })
  return { id, fields: [headers, JSON.stringify(payload)] }
}

export interface RawPublisher {
  publish(payload: unknown): Promise<string>
  publishMany(payloads: readonly unknown[]): Promise<readonly string[]>
}

/** Hand-written: what is published in one turn of the event loop goes in one script call. */
export async function rawPublisher(client: Redis, stream: string): Promise<RawPublisher> {
  await client.script('LOAD', append)
  interface Waiting {
    readonly id: string
    resolve(id: string): void
    reject(error: unknown): void
  }
  let waiting: Waiting[] = []
  let fields: string[] = []
  const flush = () => {
    const sent = waiting
    const args = fields
    waiting = []
    fields = []
    client.evalsha(appendHash, 1, stream, ...args).then(
      () => {
        for (const { id, resolve } of sent) resolve(id)
      },
      (error) => {
        for (const { reject } of sent) reject(error)
      },
    )
  }
  return {
    publish: (payload) =>
      new Promise((resolve, reject) => {
        const entry = entryOf(payload)
        if (waiting.length === 0) setImmediate(flush)
        waiting.push({ id: entry.id, resolve, reject })
        fields.push(...entry.fields)
      }),
    async publishMany(payloads) {
      const pipeline = client.pipeline()
      const ids = payloads.map((payload) => {
        const { id, fields } = entryOf(payload)
        pipeline.xadd(stream, '*', 'headers', fields[0], 'payload', fields[1])
        return id
      })
      for (const [error] of (await pipeline.exec())!) if (error !== null) throw error
      return ids
    },
  }
}

type Handler = (payload: Order, id: string) => Promise<void>
export interface RawReader {
  /** Until so many have been handled and acknowledged. */
  consume(messages: number, concurrency: number, handler: Handler): Promise<void>
}

/** Hand-written: reads ahead while handlers run, acknowledges a batch behind them while the next is read. */
export async function rawReader(client: Redis, reader: Redis, stream: string): Promise<RawReader> {
  await client.xgroup('CREATE', stream, group, '0', 'MKSTREAM')
  const read = async () => {
    const args = ['GROUP', group, 'one', 'COUNT', readAtOnce, 'BLOCK', 1_000, 'STREAMS', stream, '>'] as const
    const reply = (await reader.xreadgroup(...args)) as [string, [string, string[]][]][] | null
    return reply === null ? [] : reply[0]![1]
  }
  return {
    async consume(messages, concurrency, handler) {
      let acknowledging: Promise<unknown> = Promise.resolve()
      let reading = read()
      for (let left = messages; left > 0; ) {
        const entries = await reading
        left -= entries.length
        if (left > 0) reading = read()
        await sideBySide(entries.length, concurrency, async (index) => {
          const [, headers, , payload] = entries[index]![1]
          await handler(JSON.parse(payload!), JSON.parse(headers!)['ce-id'])
        })
        await acknowledging
        if (entries.length > 0) acknowledging = client.xack(stream, group, ...entries.map(([id]) => id))
      }
      await acknowledging
    },
  }
}
