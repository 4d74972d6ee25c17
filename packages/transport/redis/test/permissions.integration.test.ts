import { readFileSync } from 'node:fs'
import { type RunningServer, redis } from '@evt/servers'
import type { Redis } from 'ioredis'
import { redisTransport } from '../src/index.ts'
import { acknowledge, consumeAs, message, publish, readSome, type TestPlace, testPlace, topic } from './test-place.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const documented = /`ACL SETUSER orders (.*?)`/.exec(readme)?.[1]?.split(' ') ?? []

redis.describe('a Redis user with limited rights', () => {
  let server: RunningServer
  let place: TestPlace
  beforeAll(async () => {
    server = await redis.start()
    place = testPlace(server.url, 'evt')
  }, 60_000)
  afterAll(async () => {
    place.close()
    await server.stop()
  })
  const user = async (name: string, rules: readonly string[]): Promise<Redis> => {
    await place.client.call('ACL', 'SETUSER', name, 'reset', ...rules, '>secret')
    return place.connect(server.url.replace('redis://', `redis://${name}:secret@`))
  }

  test('needs no more than what the README grants', async () => {
    const client = await user('documented', documented)
    const transport = redisTransport({ client, maxLength: 1_000 })
    await transport.open()
    await transport.declare({ name: topic, partitions: undefined })
    await transport.declare({ name: `${topic}.parts`, partitions: 2 })
    const consumer = await consumeAs(transport, 'a')
    await publish(transport, 4)
    const [first, second, ...rest] = await readSome(consumer, 4)
    await consumer.extend([first!])
    await consumer.settle([
      { delivery: first!, as: 'retry', afterMs: 5_000, attempt: 2 },
      { delivery: second!, as: 'deadLetter', reason: 'no', history: [] },
    ])
    await acknowledge(consumer, rest)
    const ephemeral = await consumeAs(transport, 'b', { as: { reader: 'ephemeral' }, from: 'latest' })
    await publish(transport, 1, 4)
    await readSome(ephemeral, 1)
    await ephemeral.close()
    await transport.trim(topic)
    const letters = await transport.readDeadLetters(topic, { after: undefined, limit: 10 })
    expect(letters).toHaveLength(1)
    await transport.removeDeadLetters(topic, [letters[0]!.id])
    expect(await transport.inspect(topic)).not.toEqual([])
    await consumer.close()
    const parts = await consumeAs(transport, 'c', { topic: `${topic}.parts`, ordered: 'group' })
    expect(await transport.publish([{ ...message('5', 'k'), topic: `${topic}.parts` }])).toEqual([])
    await acknowledge(parts, await readSome(parts, 1))
    await parts.close()
    await transport.close()
  })

  const lacking: readonly (readonly [right: string, rules: readonly string[], named: RegExp])[] = [
    ['to ask what the server is', ['-info'], /'info' command/],
    ['to run scripts', ['-@scripting'], /'evalsha' command/],
    ['to any key of its own', ['resetkeys', '~other:*'], /one of the keys/],
  ]
  for (const [right, rules, named] of lacking) {
    test(`without the right ${right} is told what is missing`, async () => {
      const client = await user('lacking', [...documented, ...rules])
      jest.spyOn(console, 'warn').mockReturnValue() // ioredis, which cannot ask either
      const transport = redisTransport({ client })
      const failure = await transport
        .open()
        .then(() => transport.declare({ name: topic, partitions: undefined }))
        .catch((error: unknown) => error)
      expect(failure).toMatchObject({
        code: 'EVT_REDIS_DENIED',
        retryable: true,
        message: expect.stringMatching(named),
      })
    })
  }

  test('without the right to append is told so by what a script answers, and nothing is refused for good', async () => {
    const client = await user('reader', [...documented, '-xadd'])
    const transport = redisTransport({ client })
    await transport.declare({ name: topic, partitions: undefined })
    const [failure] = await transport.publish([message('6')])
    expect(failure).toMatchObject({ outcome: 'unavailable', error: { code: 'EVT_REDIS_DENIED' } })
  })

  test('with a wrong password is told so', async () => {
    const client = place.connect(server.url.replace('redis://', 'redis://documented:wrong@'))
    const failure = await redisTransport({ client })
      .open()
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'EVT_REDIS_DENIED', message: expect.stringContaining('WRONGPASS') })
  })
})
