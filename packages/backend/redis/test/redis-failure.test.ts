import { isServerReply, redisFailure, taggedKey } from '../src/index.ts'

const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' })

describe('errors of Redis', () => {
  const words = [
    ['LOADING Redis is loading the dataset in memory', 'EVT_REDIS_UNAVAILABLE', true],
    ['CLUSTERDOWN The cluster is down', 'EVT_REDIS_UNAVAILABLE', true],
    ["NOPERM this user has no permissions to run the 'info' command", 'EVT_REDIS_DENIED', true],
    ['NOAUTH Authentication required.', 'EVT_REDIS_DENIED', true],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'EVT_REDIS_DENIED', true],
    ["ERR ACL failure in script: User a has no permissions to run the 'xadd' command", 'EVT_REDIS_DENIED', true],
    ["ERR The user executing the script can't run this command or subcommand", 'EVT_REDIS_DENIED', true],
    ["READONLY You can't write against a read only replica.", 'EVT_REDIS_READONLY', true],
    ['MISCONF Redis is configured to save RDB snapshots', 'EVT_REDIS_WRITES_REFUSED', true],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'EVT_REDIS_WRITES_REFUSED', true],
    ['NOREPLICAS Not enough good replicas to write.', 'EVT_REDIS_WRITES_REFUSED', true],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'EVT_REDIS_WRONG_TYPE', false],
  ] as const
  for (const [message, code, retryable] of words) {
    test(`${message.split(' ').slice(0, 3).join(' ')} is ${code}`, () => {
      const error = reply(message)
      expect(isServerReply(error)).toBe(true)
      expect(redisFailure(error, 'Asking')).toMatchObject({ code, retryable, cause: error })
    })
  }

  test('an error that it does not know stays what it is', () => {
    const unknown = [reply('ERR syntax error'), new Error('mine'), undefined]
    for (const error of unknown) expect(redisFailure(error, 'Asking')).toBe(error)
  })

  test('a key that its hash tag could not hold is refused', () => {
    expect(taggedKey('evt', 'orders', 'stream', '1')).toBe('evt:{orders}:stream:1')
    for (const tag of ['a{b', 'a}b', '']) {
      expect(() => taggedKey('evt', tag)).toThrow(expect.objectContaining({ code: 'EVT_NAME_INVALID' }))
    }
  })
})
