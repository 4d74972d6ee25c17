import { consoleLogger } from '../src/index.ts'

function written(fields: object): Record<string, unknown> {
  const lines: string[] = []
  const print = jest.spyOn(console, 'error').mockImplementation((line: string) => void lines.push(line))
  consoleLogger.warn(fields, 'message dead-lettered')
  print.mockRestore()
  return JSON.parse(lines.join()) as Record<string, unknown>
}

test('the line about an error of a handler says where it was thrown', () => {
  const error = Object.assign(new TypeError('no such order'), { code: 'E1' })
  expect(written({ consumer: 's/g', error })).toEqual({
    level: 'warn',
    consumer: 's/g',
    error: {
      name: 'TypeError',
      message: 'no such order',
      code: 'E1',
      stack: expect.stringContaining('logger.test.ts'),
    },
    message: 'message dead-lettered',
  })
})

test('whatever was thrown, its line is written', () => {
  const circular: { self?: unknown } = {}
  circular.self = circular
  expect(written({ error: circular }).error).toBe('[object Object]')
  expect(written({ error: 5n }).error).toBe('5')
  expect(written({ error: Object.assign(new Error('x'), { code: circular }) }).error).toMatchObject({ message: 'x' })
  expect(written({ error: undefined }).message).toBe('message dead-lettered')
})
