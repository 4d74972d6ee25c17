import type { PgPoolLike } from '@evt/pg'
import { type PgTransportOptions, pgTransport } from '../src/index.ts'

// S2: what an option names goes into SQL, so it is looked at before anything is sent.

const pool: PgPoolLike = { connect: () => Promise.reject(new Error('nobody may ask the server')) }
const hostile = [
  'x"; drop table y; --',
  "x' or '1'='1",
  "x'); select pg_sleep(10) --",
  'a.b',
  'x y',
  'x\0',
  'x\n',
  '$1',
  '',
  'x'.repeat(64),
]

test.each(hostile)('%j is refused as the name of a schema or a prefix, by the name of the option', (name) => {
  for (const option of ['schema', 'prefix'])
    expect(() => pgTransport({ pool, [option]: name })).toThrow(
      expect.objectContaining({ code: 'EVT_OPTION_INVALID', details: expect.objectContaining({ option }) }),
    )
})

test.each([
  ['pool.connect', { pool: {} }],
  ['listen.connect', { listen: {} }],
  ['pollMs', { pollMs: 9 }],
  ['retainMs', { retainMs: -1 }],
  ['reapAfterMs', { reapAfterMs: 59_999 }],
  ['maxMessageBytes', { maxMessageBytes: 1_023 }],
  ['idleInTransactionMs', { idleInTransactionMs: -1 }],
])('%s is checked: %j', (option, given) => {
  expect(() => pgTransport({ pool, ...given } as PgTransportOptions)).toThrow(
    expect.objectContaining({ code: 'EVT_OPTION_INVALID', details: expect.objectContaining({ option }) }),
  )
})

test('an option that nobody reads is refused by name', () => {
  const options = { pool, pollMS: 5 } as object as PgTransportOptions
  expect(() => pgTransport(options)).toThrow(
    expect.objectContaining({ code: 'EVT_OPTION_UNKNOWN', details: expect.objectContaining({ option: 'pollMS' }) }),
  )
})
