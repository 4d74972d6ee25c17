import { createHash } from 'node:crypto'
import { redis } from '@evt/servers'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis-5'
import {
  type RedisArgument,
  type RedisClient,
  redisFailure,
  runScript,
  runScripts,
  type Script,
  taggedKey,
} from '../src/index.ts'

const script = (source: string): Script => ({ source, sha1: createHash('sha1').update(source).digest('hex') })

const options = { maxRetriesPerRequest: 0, lazyConnect: true }

for (const [version, connect] of [
  [6, (url: string) => new Redis(url, options)],
  [5, (url: string) => new Redis5(url, options)],
] as const) {
  redis.describe(`scripts with ioredis ${version}`, () => {
    let client: Redis | Redis5
    let prefix: string
    let drop: () => Promise<void>
    beforeEach(async () => {
      const place = await redis.fresh()
      prefix = place.prefix
      drop = () => place.drop()
      client = connect(place.url)
    })
    afterEach(async () => {
      client.disconnect()
      await drop()
    })
    // Texts of their own, because the server remembers scripts across tests.
    const append = () => script(`-- ${prefix}\nreturn redis.call('RPUSH', KEYS[1], ARGV[1])`)

    test('a server that does not know a script gets its text', async () => {
      const call = { script: append(), keys: [taggedKey(prefix, 'list')], args: ['one'] }
      expect(await runScript(client, call)).toBe(1)
      expect(await runScript(client, call)).toBe(2)
    })

    test('several in one round trip run in order, unknown ones too, and an error is that of its call alone', async () => {
      const key = taggedKey(prefix, 'list')
      const calls = ['1', '2', '3'].map((text) => ({ script: append(), keys: [key], args: [text] }))
      const wrong = { script: script(`-- ${prefix}\nreturn redis.call('INCR', KEYS[1])`), keys: [key], args: [] }
      const results = await runScripts(client, [calls[0]!, calls[1]!, wrong, calls[2]!])
      expect(results).toEqual([1, 2, expect.any(Error), 3])
      expect(redisFailure(results[2], 'Counting')).toMatchObject({
        code: 'EVT_REDIS_WRONG_TYPE',
        details: { operation: 'Counting' },
      })
      expect(await client.lrange(key, 0, -1)).toEqual(['1', '2', '3'])
    })

    test('several on the same keys run in order though the server forgets their script and learns it again in between', async () => {
      const key = taggedKey(prefix, 'list')
      const calls = ['1', '2', '3'].map((text) => ({ script: append(), keys: [key], args: [text] }))
      // What others send to the server between two commands of a pipeline.
      const disturbed: RedisClient = Object.assign(Object.create(client), {
        pipeline() {
          const pipeline = client.pipeline()
          let sent = 0
          return {
            callBuffer(command: string, args: RedisArgument[]) {
              pipeline.callBuffer(command, args)
              sent += 1
              if (sent === 1) pipeline.call('SCRIPT', ['FLUSH'])
              else pipeline.call('SCRIPT', ['LOAD', calls[0]!.script.source])
            },
            exec: async () => (await pipeline.exec())!.filter((_reply, index) => index % 2 === 0),
          }
        },
      })
      expect(await runScripts(disturbed, calls)).toEqual([1, 2, 3])
      expect(await client.lrange(key, 0, -1)).toEqual(['1', '2', '3'])
    })

    test('a server that cannot be reached is said to be unavailable', async () => {
      const lost: RedisClient = connect('redis://127.0.0.1:1')
      lost.on('error', () => undefined)
      const failure = await runScript(lost, { script: append(), keys: ['a'], args: ['b'] }).catch((error) => error)
      lost.disconnect()
      expect(redisFailure(failure, 'Asking')).toMatchObject({ code: 'EVT_REDIS_UNAVAILABLE', retryable: true })
    })
  })
}
