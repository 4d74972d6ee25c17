import type { RedisClient } from '@evt/redis'
import { Redis } from 'ioredis'
import { redisTransport } from '../src/index.ts'

describe('the options of the Redis transport', () => {
  const client: RedisClient = new Redis({ lazyConnect: true })

  test('an option that nobody reads is refused by name', () => {
    const options = { client, maxLenght: 5 } as object as { client: RedisClient }
    expect(() => redisTransport(options)).toThrow(
      expect.objectContaining({
        code: 'EVT_OPTION_UNKNOWN',
        details: expect.objectContaining({ option: 'maxLenght' }),
      }),
    )
  })

  const wrong = [
    ['client', {}],
    ['prefix', 'a{b'],
    ['onMissing', 'ignore'],
    ['maxLength', 0],
    ['maxAgeMs', 1.5],
    ['reapAfterMs', 10],
    ['maxMessageBytes', -1],
  ] as const
  for (const [option, value] of wrong) {
    test(`${option} is checked`, () => {
      expect(() => redisTransport({ client, [option]: value })).toThrow(
        expect.objectContaining({ code: 'EVT_OPTION_INVALID', details: expect.objectContaining({ option }) }),
      )
    })
  }

  test('a topic whose name would end the hash tag is refused', async () => {
    const declaring = redisTransport({ client }).declare({ name: 'a}b', partitions: undefined })
    await expect(declaring).rejects.toMatchObject({ code: 'EVT_NAME_INVALID' })
  })
})
