import { consoleLogger, type Logger } from '../src/index.ts'
import { makeRig, Tick } from './rig.ts'

function written(fields: object): Record<string, unknown> {
  const lines: string[] = []
  const print = jest.spyOn(console, 'error').mockImplementation((line: string) => void lines.push(line))
  consoleLogger.warn(fields, 'message dead-lettered')
  print.mockRestore()
  return JSON.parse(lines.join()) as Record<string, unknown>
}

test('the line about an error of a handler says where it was thrown', () => {
  const error = Object.assign(new TypeError('no such order'), { code: 'E1' })
  expect(written({ consumer: 's/g', err: error })).toEqual({
    level: 'warn',
    consumer: 's/g',
    err: {
      name: 'TypeError',
      message: 'no such order',
      code: 'E1',
      stack: expect.stringContaining('logger.test.ts'),
    },
    message: 'message dead-lettered',
  })
})

test('the line about an error says what caused it, and ends where errors cause each other', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  const error = new Error('the gateway does not answer', { cause: refused })
  expect(written({ err: error }).err).toMatchObject({
    cause: { message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' },
  })
  refused.cause = error
  expect(written({ err: error }).err).toMatchObject({ cause: { cause: { message: 'the gateway does not answer' } } })
})

test('errors are logged as `err`, the only field that pino writes an error of with its stack', async () => {
  const lines: [object, string | undefined][] = []
  const line = (fields: object, message?: string) => void lines.push([fields, message])
  const logger: Logger = { debug: line, info: line, warn: line, error: line }
  await using rig = makeRig({ bus: { logger, onError: undefined } })
  const failure = new TypeError('no such order')
  const fail = () => Promise.reject(failure)
  const onDeadLetter = fail
  await rig.bus.subscribe(Tick, fail, { group: 'a', retry: { attempts: 2, backoff: { minMs: 0 } }, onDeadLetter })
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(1)
  const logged = (message: string) => [expect.objectContaining({ err: failure }), message]
  expect(lines).toEqual([logged('run failed, will be retried'), logged('message dead-lettered'), logged('failure')])
})

test('whatever was thrown, its line is written', () => {
  const circular: { self?: unknown } = {}
  circular.self = circular
  expect(written({ err: circular }).err).toBe('[object Object]')
  expect(written({ err: 5n }).err).toBe('5')
  expect(written({ err: Object.assign(new Error('x'), { code: circular }) }).err).toMatchObject({ message: 'x' })
  expect(written({ err: undefined }).message).toBe('message dead-lettered')
})
