import { evtError, jsonCodec } from '@evt/core'
import { describeError, safeLogger } from '../src/safe-logger.ts'

const customer = { name: 'Ann Smith', email: 'ann.smith@example.com' }
const personal = /ann|smith/i

function logged(fields: object, message?: string): string {
  const lines: string[] = []
  safeLogger('debug', { write: (line) => void lines.push(line) }).warn(fields, message)
  return lines.join('')
}
function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('expected a failure')
}
const parseError = thrownBy(() => JSON.parse('{"name":Ann Smith'))
const decodeError = thrownBy(() => jsonCodec.decode(Buffer.from('Ann Smith <ann.smith@example.com>')))
const rowError = Object.assign(new Error('invalid input syntax for type integer: "Ann Smith"'), {
  code: '22P02',
  severity: 'ERROR',
  detail: 'Failing row contains (Ann Smith).',
  where: 'Ann Smith',
})

const leaks: readonly (readonly [string, object, string?])[] = [
  ['a payload', { payload: customer }],
  ['a customer', { customer }],
  ['a payload deep inside', { a: { b: [{ c: { delivery: { Payload: customer } } }] } }],
  ['a customer below what is looked at', { a: { b: { c: { d: { e: { f: { g: { h: 'Ann Smith' } } } } } } } }],
  ['a name of its own', { name: customer.name }],
  ['an address of its own', { to: customer.email }],
  ['an address in the message', {}, `no answer from ${customer.email}`],
  ['an address as the name of a field', { [customer.email]: 1 }],
  ['bytes', { bytes: Buffer.from(customer.name) }],
  ['an error that quotes what it could not parse', { error: parseError }],
  ['an error that quotes what it could not decode', { error: decodeError }],
  [
    'an error that wraps one that quotes',
    { error: new Error(`failed: ${(parseError as Error).message}`, { cause: parseError }) },
  ],
  ['an error of the database with the row beside it', { error: rowError }],
  ['an error with fields', { error: Object.assign(new Error('no'), { order: customer }) }],
  ['an error with an address in its message', { error: new Error(`no mail to ${customer.email}`) }],
  [
    'an error of ours with details',
    { error: evtError('EVT_PAYLOAD_INVALID', 'Ann Smith', { event: 'e', issues: [customer] as never }) },
  ],
  ['an error instead of fields', parseError as Error],
  ['an error in a list', { errors: [rowError] }],
]
for (const [what, fields, message] of leaks)
  test(`${what} does not reach the log`, () => {
    const line = logged(fields, message)
    expect(JSON.parse(line)).toHaveProperty('level', 40)
    expect(line).not.toMatch(personal)
  })

test('what names nobody is logged', () => {
  const error = evtError('EVT_TX_CLOSED', 'The transaction has ended', { outbox: 'pg' }, { cause: rowError })
  const line = JSON.parse(
    logged({ consumer: 'orders/payment', attempts: 3, error: new Error('the gateway is away') }, 'retry'),
  )
  expect(line).toMatchObject({
    consumer: 'orders/payment',
    attempts: 3,
    error: { type: 'Error', message: 'the gateway is away' },
    msg: 'retry',
  })
  expect(line.error.at[0]).toContain('safe-logger.test.ts')
  expect(JSON.parse(logged({ error })).error).toMatchObject({ code: 'EVT_TX_CLOSED', cause: { code: '22P02' } })
})

test('an unexpected error is told on one line without what it may quote', () => {
  expect(describeError(new TypeError('a\n  b'))).toBe('TypeError: a b')
  expect(describeError(parseError)).toBe('SyntaxError: [hidden]')
  expect(describeError('Ann Smith')).toBe('string: [hidden]')
})
