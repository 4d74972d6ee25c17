import type { PgPoolLike } from '@evt/pg'
import { pgOutbox, pgOutboxStore } from '../src/index.ts'

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

test.each(hostile)('%j is refused as the name of a schema or a table, by the name of the option', (name) => {
  for (const option of ['schema', 'table'])
    for (const make of [pgOutbox, pgOutboxStore])
      expect(() => make({ pool, [option]: name })).toThrow(
        expect.objectContaining({ code: 'EVT_OPTION_INVALID', details: expect.objectContaining({ option }) }),
      )
})

test('an option that nobody reads is refused by name', () => {
  for (const make of [pgOutbox, pgOutboxStore])
    expect(() => make({ pool, tabel: 'x' } as never)).toThrow(
      expect.objectContaining({ code: 'EVT_OPTION_UNKNOWN', details: expect.objectContaining({ option: 'tabel' }) }),
    )
})
